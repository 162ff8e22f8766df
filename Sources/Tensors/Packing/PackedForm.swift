import CKernels

/// What packed matrices are good for: weights, precision and kernels.
public struct PackedForm: Sendable, Hashable {
  /// Of the transformer.
  public let digest: SHA256.Digest
  public let precision: Precision

  public init(digest: SHA256.Digest, precision: Precision) {
    self.digest = digest
    self.precision = precision
  }

  static let panelWidth = Int(CLUSCA_PANEL)
  /// The order of numbers in panels, which kernels for different instruction sets have different ones of.
  static var layout: String { "strip\(kernels.strip)" }

  /// The name of the file in a folder of such files.
  public var fileName: String { "\(digest)-\(precision.rawValue)-\(Self.layout).safetensors" }

  /// What the file says about itself.
  var metadata: [String: String] {
    [
      "clusca_packed": "1", "transformer_sha256": digest.description, "dtype": precision.rawValue,
      "layout": Self.layout,
    ]
  }
}
