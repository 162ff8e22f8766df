import Files
import Media
import StrictJSON

/// Two pictures of one size, their distance, and what is said about it.
struct PictureComparison {
  /// Where the picture of the differences was written.
  private(set) var differencePath: String?
  private let comparison: Comparison
  /// Nil for pictures too small for its window.
  private let structuralSimilarity: Double?

  var peakSignalToNoiseRatio: Double { comparison.peakSignalToNoiseRatio }

  init(_ first: Picture, _ second: Picture) throws {
    comparison = try Comparison(first, second)
    structuralSimilarity = try? comparison.structuralSimilarity()
  }

  mutating func writeDifference(
    to path: String, amplifiedBy factor: Double, ifExists: AtomicFile.ExistingFile
  ) throws {
    let picture = try comparison.differencePicture(amplifiedBy: factor)
    differencePath = try AtomicFile.write(try PNG.encode(picture), to: path, ifExists: ifExists)
  }

  var rows: [(label: String, value: String)] {
    let isEqual = comparison.maximumAbsoluteDifference == 0
    var rows: [(label: String, value: String)] = [
      ("size", "\(comparison.first.width)x\(comparison.first.height)"),
      ("PSNR", isEqual ? "infinite, the pixels are equal" : fixed(peakSignalToNoiseRatio, 2) + " dB"),
      ("SSIM", structuralSimilarity.map { fixed($0, 4) } ?? "none, the pictures are smaller than 11x11"),
      ("largest difference", "\(comparison.maximumAbsoluteDifference) of 255"),
      ("mean difference", fixed(comparison.meanAbsoluteDifference, 4) + " of 255"),
    ]
    if let differencePath { rows.append(("difference picture", differencePath)) }
    return rows
  }

  /// Adds what was found to an object that names the pictures. JSON knows no infinity: the PSNR of equal pictures is null
  /// there, and `identical` true.
  func describe(in json: inout JSONObject) {
    json["width"] = .integer(comparison.first.width)
    json["height"] = .integer(comparison.first.height)
    json["identical"] = .bool(comparison.maximumAbsoluteDifference == 0)
    json["psnr_db"] = peakSignalToNoiseRatio.isFinite ? .number(peakSignalToNoiseRatio) : .null
    json["ssim"] = structuralSimilarity.map(JSONValue.number) ?? .null
    json["maximum_difference"] = .integer(comparison.maximumAbsoluteDifference)
    json["mean_absolute_difference"] = .number(comparison.meanAbsoluteDifference)
    json["mean_squared_error"] = .number(comparison.meanSquaredError)
    if let differencePath { json["difference_picture"] = .string(differencePath) }
  }

  private func fixed(_ value: Double, _ digits: Int) -> String { DecimalText.fixed(value, digits: digits) }
}
