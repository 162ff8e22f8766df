import Files
import Media
import StrictJSON

/// One prompt and seed by one policy, with its two files: the picture and, beside it, what was measured.
struct BenchEntry: Sendable {
  let policy: BenchPolicy
  /// Of the prompt and seed, from 0.
  let index: Int
  let settings: PictureSettings
  /// The folder of the whole comparison.
  let folder: String
  var measurement: BenchMeasurement?

  /// Below ``folder``.
  var picturePath: String {
    let number = String(index)
    return "pictures/\(policy.folder)/\(String(repeating: "0", count: max(0, 4 - number.count)) + number).png"
  }
  var place: String { "\(folder)/\(picturePath)" }
  private var recordPlace: String { "\(folder)/measurements/\(policy.folder)/\(index).json" }

  /// Whatever decides about the picture and about the time that it takes.
  private func wanted(_ conditions: JSONObject) -> JSONObject {
    ["settings": .object(settings.json), "conditions": .object(conditions)]
  }

  /// Takes over what an earlier run has measured of the same settings under the same conditions.
  ///
  /// - Returns: whether there was something.
  /// - Throws: ``CommandFailure`` if what is in its place is something else.
  mutating func resume(_ conditions: JSONObject) throws -> Bool {
    switch PictureAtPath(path: place, settings: settings.json) {
    case .missing: return false
    case .other(let reason): throw CommandFailure(.output, "\(reason) Give another --out, or --force to measure again.")
    case .same: break
    }
    guard let bytes = try? InputFile.read(recordPlace, maximumBytes: 1 << 20),
      let record = try? JSONValue(parsing: bytes), let values = record["measurement"]?.object
    else { return false }
    guard PictureAtPath.isEqual(record["conditions"], .object(conditions)) else {
      throw CommandFailure(
        .output,
        "\(recordPlace) was measured with another program, processor or number of threads, whose times cannot be compared; "
          + "give another --out, or --force to measure again.")
    }
    guard PictureAtPath.isEqual(record["settings"], .object(settings.json)) else { return false }
    measurement = BenchMeasurement(values)
    return measurement != nil
  }

  /// Writes both files, the record last: it says that all is there.
  mutating func finish(_ picture: Picture, _ measurement: BenchMeasurement, _ conditions: JSONObject) throws {
    try AtomicFile.write(
      PNG.encode(picture, texts: settings.metadata.texts()), to: place, ifExists: .overwrite, createFolders: true)
    var record = wanted(conditions)
    record["measurement"] = .object(measurement.json)
    try AtomicFile.write(
      JSONValue.object(record).text(pretty: true) + "\n", to: recordPlace, ifExists: .overwrite, createFolders: true)
    self.measurement = measurement
  }

  /// The picture as it was written.
  func picture() throws -> Picture { try PNG.decode(PNG.file(place)) }
}
