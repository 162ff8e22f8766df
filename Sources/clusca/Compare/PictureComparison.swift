import Files
import Media
import StrictJSON

/// Two picture files, their distance, and what is said about it.
struct PictureComparison {
  let firstPath: String
  let secondPath: String
  /// Where the picture of the differences was written.
  private(set) var differencePath: String?
  private let comparison: Comparison
  /// Nil for pictures too small for its window.
  private let structuralSimilarity: Double?

  var peakSignalToNoiseRatio: Double { comparison.peakSignalToNoiseRatio }

  init(_ firstPath: String, _ secondPath: String) throws {
    let first = try PictureFile(firstPath).picture()
    let second = try PictureFile(secondPath).picture()
    guard first.width == second.width, first.height == second.height else {
      throw CommandFailure(
        .input,
        "\(firstPath) has \(first.width)x\(first.height) pixels and \(secondPath) \(second.width)x\(second.height); "
          + "only pictures of one size can be compared.")
    }
    self.firstPath = firstPath
    self.secondPath = secondPath
    comparison = try Comparison(first, second)
    structuralSimilarity = try? comparison.structuralSimilarity()
  }

  mutating func writeDifference(
    to path: String, amplifiedBy factor: Double, ifExists: AtomicFile.ExistingFile
  ) throws {
    let picture = try comparison.differencePicture(amplifiedBy: factor)
    differencePath = try AtomicFile.write(try PNG.encode(picture), to: path, ifExists: ifExists)
  }

  var lines: [String] {
    let isEqual = comparison.maximumAbsoluteDifference == 0
    var rows: [(label: String, value: String)] = [
      ("size", "\(comparison.first.width)x\(comparison.first.height)"),
      ("PSNR", isEqual ? "infinite, the pixels are equal" : fixed(peakSignalToNoiseRatio, 2) + " dB"),
      ("SSIM", structuralSimilarity.map { fixed($0, 4) } ?? "none, the pictures are smaller than 11x11"),
      ("largest difference", "\(comparison.maximumAbsoluteDifference) of 255"),
      ("mean difference", fixed(comparison.meanAbsoluteDifference, 4) + " of 255"),
    ]
    if let differencePath { rows.append(("difference picture", differencePath)) }
    return Table.lines(rows)
  }

  /// JSON knows no infinity: the PSNR of equal pictures is null there, and `identical` true.
  var json: JSONValue {
    var json: JSONObject = [
      "first": .string(firstPath), "second": .string(secondPath), "width": .integer(comparison.first.width),
      "height": .integer(comparison.first.height), "identical": .bool(comparison.maximumAbsoluteDifference == 0),
      "psnr_db": peakSignalToNoiseRatio.isFinite ? .number(peakSignalToNoiseRatio) : .null,
      "ssim": structuralSimilarity.map(JSONValue.number) ?? .null,
      "maximum_difference": .integer(comparison.maximumAbsoluteDifference),
      "mean_absolute_difference": .number(comparison.meanAbsoluteDifference),
      "mean_squared_error": .number(comparison.meanSquaredError),
    ]
    if let differencePath { json["difference_picture"] = .string(differencePath) }
    return .object(json)
  }

  private func fixed(_ value: Double, _ digits: Int) -> String { DecimalText.fixed(value, digits: digits) }
}
