import Synchronization

/// The matrices of a model that are packed, in the order in which it asks for them, and their way into a file.
public struct MatrixPacking: Sendable {
  private let requests: [MatrixRequest]
  private let form: PackedForm

  /// - Parameters:
  ///   - form: what the matrices are packed for.
  ///   - load: loads the model; it gets zeros for its matrices, which take no memory.
  public init(_ form: PackedForm, loading load: (any PackedMatrices) throws -> Void) rethrows {
    let requested = RequestedMatrices()
    try load(requested)
    requests = requested.requests
    self.form = form
  }

  public var count: Int { requests.count }

  /// The size of the file.
  public var byteCount: Int {
    get throws { try outlines.reduce(0) { try $0 + $1.byteCount } }
  }

  private var outlines: [TensorOutline] { requests.flatMap(\.outlines) + [PackedFile.digestOutline] }

  /// Packs one matrix after the other into a file, which appears complete or not at all.
  ///
  /// - Parameter onProgress: is told how many are done; an error ends the writing and leaves nothing.
  public func write(to path: String, onProgress: (Int) throws -> Void) throws {
    var output = try SafetensorsOutput(
      outlines, metadata: form.metadata, alignment: Self.alignment, to: path, createFolders: true)
    var hash = PackedFile.ContentHash()
    for (index, request) in requests.enumerated() {
      try onProgress(index)
      var outlines = request.outlines[...]
      try request.forEachPackedPart { bytes in
        hash.add(outlines.removeFirst(), bytes)
        try output.append(bytes)
      }
    }
    try onProgress(requests.count)
    try hash.finalize().withUnsafeBytes { try output.append($0) }
    try output.commit()
  }

  /// Cache lines: panels, scales and sums are multiples of them.
  private static let alignment = 64
}

extension MatrixRequest {
  /// Packs the matrix and gives the bytes of each of its ``outlines``.
  fileprivate func forEachPackedPart(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    switch precision {
    case .float32: break
    case .bfloat16: try PackedBFloat16(joining: parts).forEachPart(body)
    case .int8: try PackedInt8(joining: parts).forEachPart(body)
    }
  }
}

/// Notes what is asked for.
private final class RequestedMatrices: PackedMatrices {
  private let noted = Mutex<[MatrixRequest]>([])

  var requests: [MatrixRequest] { noted.withLock { $0 } }

  func matrix(_ request: MatrixRequest) throws -> WeightMatrix? {
    noted.withLock { noted in
      if !noted.contains(where: { $0.name == request.name }) { noted.append(request) }
    }
    let zeros = try StoredTensor(name: request.name, zerosOfShape: [request.outputs, request.inputs])
    return try WeightMatrix(joining: [zeros], precision: request.precision)
  }
}
