import Files
import Testing

@testable import Tensors

/// Files of matrices that were packed before.
@Suite struct PackedFileTests {
  let folder: TemporaryFolder
  var path: String { "\(folder.path)/packed.safetensors" }

  init() throws { folder = try TemporaryFolder() }

  private static func form(_ precision: Precision, _ byte: UInt8 = 1) -> PackedForm {
    PackedForm(digest: SHA256.digest(of: [byte]), precision: precision)
  }

  private static func tensor(_ name: String, _ shape: [Int]) throws -> StoredTensor {
    let values = (0..<shape.reduce(1, *)).map { Float(($0 * 7919 + name.utf8.count * 31) % 2003 - 1001) / 1001 }
    return try StoredTensor(name: name, shape: shape, values: values)
  }

  /// Two matrices: one that is joined of two and fills neither panels nor passes, and a small one.
  private static func requests(_ precision: Precision) throws -> [MatrixRequest] {
    [
      MatrixRequest(
        names: ["q", "k"], parts: [try tensor("q", [70, 515]), try tensor("k", [61, 515])], precision: precision),
      MatrixRequest(names: ["small"], parts: [try tensor("small", [1, 3])], precision: precision.ofSensitiveMaps),
    ]
  }

  @discardableResult
  private func write(_ precision: Precision) throws -> MatrixPacking {
    let packing = try MatrixPacking(Self.form(precision)) { packed in
      for request in try Self.requests(precision) { _ = try packed.matrix(request) }
    }
    try packing.write(to: path) { _ in }
    return packing
  }

  @Test(arguments: [Precision.bfloat16, .int8])
  func productsOfAFileAreThoseOfMatricesPackedAtLoading(precision: Precision) throws {
    try write(precision)
    let file = try PackedFile(path: path, form: Self.form(precision))
    for request in try Self.requests(precision) {
      let packed = try #require(try file.matrix(request))
      let loaded = try WeightMatrix(joining: request.parts, precision: request.precision)
      #expect(packed.byteCount == loaded.byteCount)
      // It is the file that is used, at the beginning of a cache line.
      #expect(packed.mapped.count == 1 && loaded.mapped.isEmpty)
      let x = Tensor((0..<7 * request.inputs).map { Float($0 % 17) - 8 }, shape: [7, request.inputs])
      #expect(Linear(weight: packed, bias: nil)(x) == Linear(weight: loaded, bias: nil)(x))
    }
    try file.verify()
  }

  @Test(arguments: [Precision.bfloat16, .int8])
  func theSizeIsKnownBeforehandAndTheBytesAreTheSameEachTime(precision: Precision) throws {
    let packing = try write(precision)
    let first = try TestFiles.read(path)
    #expect(packing.count == 2)
    #expect(try PackedFile(path: path, form: Self.form(precision)).byteCount == packing.byteCount)
    try write(precision)
    #expect(try TestFiles.read(path) == first)
  }

  @Test func aFileOfAnotherModelOrPrecisionIsRefused() throws {
    try write(.bfloat16)
    for form in [Self.form(.bfloat16, 2), Self.form(.int8)] {
      #expect(throws: FileError.self) { try PackedFile(path: path, form: form) }
    }
    try SafetensorsWriter.write([Self.tensor("x", [2])], to: path)
    #expect(throws: FileError.self) { try PackedFile(path: path, form: Self.form(.bfloat16)) }
  }

  @Test func aMatrixThatIsNotThereIsPackedByWhoLoadsIt() throws {
    try write(.bfloat16)
    let file = try PackedFile(path: path, form: Self.form(.bfloat16))
    let other = MatrixRequest(names: ["other"], parts: [try Self.tensor("other", [2, 2])], precision: .bfloat16)
    #expect(try file.matrix(other) == nil)
    let parameters = Parameters(Single(tensor: other.parts[0]), precision: .bfloat16, packed: file)
    #expect(try Linear(parameters, inputs: 2, outputs: 2, bias: false).weight.mapped.isEmpty)
  }

  private struct Single: ParameterSource {
    let tensor: StoredTensor
    var path: String { "single" }
    func parameter(_ name: String) throws -> StoredTensor? { tensor }
  }

  @Test func aMatrixOfAnotherShapeIsAnErrorAndNoWrongProduct() throws {
    try write(.bfloat16)
    let file = try PackedFile(path: path, form: Self.form(.bfloat16))
    let wide = MatrixRequest(names: ["small"], parts: [try Self.tensor("small", [1, 200])], precision: .bfloat16)
    #expect(throws: FileError.self) { try file.matrix(wide) }
    let narrow = MatrixRequest(names: ["small"], parts: [try Self.tensor("small", [1, 3])], precision: .int8)
    #expect(throws: FileError.self) { try file.matrix(narrow) }
  }

  @Test func aChangedBitIsFoundByReadingAll() throws {
    try write(.int8)
    var bytes = try TestFiles.read(path)
    bytes[bytes.count - 33] ^= 1
    try TestFiles.write(bytes, to: path)
    let file = try PackedFile(path: path, form: Self.form(.int8))
    #expect(throws: FileError.self) { try file.verify() }
  }

  @Test func whoeverStopsTheWritingLeavesNothing() throws {
    let packing = try MatrixPacking(Self.form(.int8)) { packed in
      for request in try Self.requests(.int8) { _ = try packed.matrix(request) }
    }
    #expect(throws: CancellationError.self) {
      try packing.write(to: path) { done in if done == 1 { throw CancellationError() } }
    }
    #expect(try Folder.names(in: folder.path).isEmpty)
  }

  @Test func aTensorOfAnotherLengthThanAnnouncedIsNotWritten() throws {
    let outline = TensorOutline(name: "x", dtype: .float32, shape: [2])
    #expect(throws: SafetensorsError.self) {
      var output = try SafetensorsOutput([outline], to: path)
      try [UInt8](repeating: 0, count: 7).withUnsafeBytes { try output.append($0) }
    }
    #expect(try Folder.names(in: folder.path).isEmpty)
  }
}
