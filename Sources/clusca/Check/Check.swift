import ArgumentParser
import Media
import Rendering
import StrictJSON
import Tensors

/// `clusca check`: renders the pictures of a manifest again and compares, step by step.
struct Check: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Renders the pictures of a manifest again and compares every step.",
    discussion: """
      The manifest is a file that generate --manifest wrote. No picture is kept. Ends with status \
      \(ExitStatus.differences.rawValue) at the first difference and names picture and step; what is other than when the \
      manifest was written (version, build, numerics class, model) is said, too.
      """)

  @Argument(help: "A manifest.", completion: .file(extensions: ["json"]))
  var manifest: String

  @OptionGroup(title: "Model")
  var modelOptions: ModelOptions

  @Flag(name: .shortAndLong, help: "Show no progress and no notes.")
  var quiet = false

  func validate() throws {
    if modelOptions.dtype != nil { throw ValidationError("--dtype does not go with check: the manifest says it") }
  }

  func run() async throws {
    let recorded = try RenderManifest(path: manifest)
    var number = 0
    for group in try groups(recorded) {
      let now = try RenderManifest(of: group.model, parts: modelOptions.partPaths, isQuiet: quiet)
      let others = now.differences(from: recorded)
      if number == 0, !others.isEmpty, !quiet {
        StandardError.write("clusca: Other than when \(manifest) was written: \(others.joined(separator: ", ")).")
      }
      let maker = PictureMaker(model: group.model, count: recorded.pictures.count, isQuiet: quiet)
      let settings = group.pictures.map(\.settings)
      let session = try await maker.session(settings, maker.transformerWeights(settings))
      for picture in group.pictures {
        number += 1
        let comparison = PictureCheck(picture: picture.recorded, settings: picture.settings)
        let difference = try await comparison.difference(
          number: number, maker, session, comparesFile: now.version == recorded.version)
        if let difference {
          throw CommandFailure(
            .differences, "\(picture.recorded.file) differs from \(manifest) \(difference)\(Self.also(others)).")
        }
        try StandardOutput.write("\(picture.recorded.file): all \(picture.recorded.latents.count) steps are equal")
      }
    }
  }

  private static func also(_ others: [String]) -> String {
    others.isEmpty ? "" : "; other than then: \(others.joined(separator: ", "))"
  }

  /// Pictures that follow each other and are rendered with the same model in the same precision.
  private struct Group {
    var model: any RenderModel
    var pictures: [(recorded: RenderManifest.Picture, settings: PictureSettings)]
  }

  private static let picturesPerGroup = 128

  private func groups(_ recorded: RenderManifest) throws -> [Group] {
    var groups: [Group] = []
    var last: [JSONValue?] = []
    for picture in recorded.pictures {
      let repeated = RepeatedPicture(path: manifest, json: picture.settings)
      let key = ["model", "scheduler", "dtype"].map { picture.settings[$0] }
      if groups.isEmpty || key != last || groups[groups.count - 1].pictures.count >= Self.picturesPerGroup {
        let model = try modelOptions.open(
          modelOptions.model ?? repeated.string("model") ?? DefaultModel.prompts.name)
        groups.append(Group(model: try PictureOptions.parse([]).scheduled(model, repeated), pictures: []))
        last = key
      }
      var settings = try RepeatedCommand().settings(repeated, model: groups[groups.count - 1].model)
      settings.transport = try repeated.string("transport")
      guard settings.isMade(of: picture.settings) else {
        throw CommandFailure(
          .input, "\(manifest) holds settings of \(picture.file) that this program or this model does not have.")
      }
      groups[groups.count - 1].pictures.append((picture, settings))
    }
    return groups
  }
}

extension PictureSettings {
  /// Whether these are all of the settings of a picture, with the same values.
  fileprivate func isMade(of recorded: JSONObject) -> Bool {
    let own = json
    return Set(own.keys + recorded.keys).allSatisfy { PictureAtPath.isEqual(own[$0], recorded[$0]) }
  }
}
