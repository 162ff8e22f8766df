import Media
import StrictJSON

/// Two picture files.
struct FileComparison {
  let firstPath: String
  let secondPath: String

  func pictures() throws -> (first: Picture, second: Picture) {
    let first = try PictureFile(firstPath).picture()
    let second = try PictureFile(secondPath).picture()
    guard first.width == second.width, first.height == second.height else {
      throw CommandFailure(
        .input,
        "\(firstPath) has \(first.width)x\(first.height) pixels and \(secondPath) \(second.width)x\(second.height); "
          + "only pictures of one size can be compared.")
    }
    return (first, second)
  }

  var json: JSONObject { ["first": .string(firstPath), "second": .string(secondPath)] }
}
