import ArgumentParser
import Files
import Media

/// `clusca compare`: how far two pictures lie apart.
struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compares two pictures: PSNR, SSIM and the largest difference.",
    discussion: """
      Ends with status \(ExitStatus.differences.rawValue) if the pictures lie further apart than --min-psnr allows.
      """)

  @Argument(help: "The first picture, a PNG.", completion: .file(extensions: ["png"]))
  var first: String

  @Argument(help: "The second picture, a PNG of the same size.", completion: .file(extensions: ["png"]))
  var second: String

  @Option(help: ArgumentHelp("Write a picture of the differences.", valueName: "file"))
  var difference: String?

  @Option(help: ArgumentHelp("How much brighter the differences are in that picture.", valueName: "factor"))
  var amplify: Double = 10

  @Flag(help: "Replace the file of --difference if it exists, instead of taking the next free name.")
  var force = false

  @Option(help: ArgumentHelp("The least PSNR in decibels that is good enough.", valueName: "dB"))
  var minPsnr: Double?

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    guard amplify.isFinite, amplify > 0 else {
      throw ValidationError("--amplify \(amplify) is not a number above 0")
    }
    if let minPsnr, !minPsnr.isFinite { throw ValidationError("--min-psnr \(minPsnr) is not a number of decibels") }
  }

  func run() throws {
    // A typing error in the place of the result is said before any work.
    if let difference { try AtomicFile.check(difference, ifExists: ifExists) }
    var comparison = try PictureComparison(first, second)
    if let difference { try comparison.writeDifference(to: difference, amplifiedBy: amplify, ifExists: ifExists) }
    try StandardOutput.write(
      json ? comparison.json.text(pretty: true) : comparison.lines.joined(separator: "\n"))
    if let minPsnr, comparison.peakSignalToNoiseRatio < minPsnr {
      throw CommandFailure(
        .differences,
        "\(first) and \(second) lie apart by a PSNR of "
          + "\(DecimalText.fixed(comparison.peakSignalToNoiseRatio, digits: 2)) dB, less than --min-psnr \(minPsnr).")
    }
  }

  private var ifExists: AtomicFile.ExistingFile { force ? .overwrite : .number }
}
