import Files
import StrictJSON
import Tensors

/// What pictures were made with and what came out, step by step, as digests: enough to find out later, or on another
/// machine, whether the same comes out again, and from which step on it does not.
public struct RenderManifest: Sendable, Equatable {
  /// One picture, its digests in the order in which they came about.
  public struct Picture: Sendable, Equatable {
    /// The name of its file, without the folder.
    public var file: String
    /// Everything that decides about it, as the picture keeps it.
    public var settings: JSONObject
    /// Whether the file carries the settings.
    public var hasMetadata: Bool
    /// Of the latents after each step.
    public var latents: [SHA256.Digest]
    /// Of the decoded pixels, `[frames, height, width, 3]` in float32.
    public var pixels: SHA256.Digest
    /// Of the file; of a video, of the digests of its frames as PNG.
    public var png: SHA256.Digest

    public init(
      file: String, settings: JSONObject, hasMetadata: Bool, latents: [SHA256.Digest], pixels: SHA256.Digest,
      png: SHA256.Digest
    ) {
      self.file = file
      self.settings = settings
      self.hasMetadata = hasMetadata
      self.latents = latents
      self.pixels = pixels
      self.png = png
    }
  }

  /// Of the program.
  public var version: String
  /// What tells apart programs of one version.
  public var build: String
  /// See ``NumericsClass``.
  public var numerics: SHA256.Digest
  /// See ``ModelDigest/checkpoint(_:others:remembering:)``.
  public var model: SHA256.Digest
  public var pictures: [Picture] = []

  public init(version: String, build: String, numerics: SHA256.Digest, model: SHA256.Digest) {
    self.version = version
    self.build = build
    self.numerics = numerics
    self.model = model
  }

  /// In words, what is other than at the time of `recorded`: the build, the numerics class, the model.
  public func differences(from recorded: RenderManifest) -> [String] {
    [
      ("version", version == recorded.version), ("build", build == recorded.build),
      ("numerics class", numerics == recorded.numerics), ("model", model == recorded.model),
    ].filter { !$0.1 }.map(\.0)
  }

  // MARK: - JSON

  private static let format = 1
  private static let maximumBytes = 256 << 20

  public var json: JSONValue {
    [
      "clusca_manifest": .integer(Self.format), "version": .string(version), "build": .string(build),
      "numerics_class": .string(numerics.description), "model_sha256": .string(model.description),
      "pictures": .array(pictures.map(\.json)),
    ]
  }

  /// Reads the file that ``write(to:ifExists:)`` wrote.
  ///
  /// - Throws: `FileError` that names what is missing or wrong.
  public init(path: String) throws(FileError) {
    let bytes = try InputFile.read(path, maximumBytes: Self.maximumBytes)
    let json: JSONValue
    do {
      json = try JSONValue(parsing: bytes, limits: JSONLimits(maximumBytes: Self.maximumBytes))
    } catch {
      throw FileError(path: path, reason: "is no valid JSON: \(error)")
    }
    guard let format = json["clusca_manifest"]?.int else {
      throw FileError(path: path, reason: "is no manifest of clusca")
    }
    guard format == Self.format else {
      throw FileError(path: path, reason: "is a manifest of the form \(format), of which only \(Self.format) is known")
    }
    do throws(ManifestFlaw) {
      version = try json.manifestText("version")
      build = try json.manifestText("build")
      numerics = try json.manifestDigest("numerics_class")
      model = try json.manifestDigest("model_sha256")
      guard let list = json["pictures"]?.array else { throw ManifestFlaw(key: "pictures", expected: "a list") }
      for value in list { pictures.append(try Picture(value)) }
    } catch {
      throw FileError(path: path, reason: "is a damaged manifest: \"\(error.key)\" is not \(error.expected)")
    }
  }

  /// Puts the manifest in its place, whole or not at all.
  public func write(to path: String, ifExists: AtomicFile.ExistingFile) throws(FileError) {
    try AtomicFile.write(json.text(pretty: true) + "\n", to: path, ifExists: ifExists, createFolders: true)
  }
}

extension RenderManifest.Picture {
  fileprivate var json: JSONValue {
    [
      "file": .string(file), "settings": .object(settings), "metadata": .bool(hasMetadata),
      "latents_sha256": .array(latents.map { .string($0.description) }), "pixels_sha256": .string(pixels.description),
      "png_sha256": .string(png.description),
    ]
  }

  fileprivate init(_ json: JSONValue) throws(ManifestFlaw) {
    file = try json.manifestText("file")
    guard let object = json["settings"]?.object else { throw ManifestFlaw(key: "settings", expected: "an object") }
    settings = object
    hasMetadata = json["metadata"]?.bool ?? true
    latents = []
    guard let list = json["latents_sha256"]?.array, !list.isEmpty else {
      throw ManifestFlaw(key: "latents_sha256", expected: "a list with an entry a step")
    }
    for value in list {
      guard let digest = value.string.flatMap(SHA256.Digest.init) else {
        throw ManifestFlaw(key: "latents_sha256", expected: "a list of SHA-256")
      }
      latents.append(digest)
    }
    pixels = try json.manifestDigest("pixels_sha256")
    png = try json.manifestDigest("png_sha256")
  }
}

private struct ManifestFlaw: Error {
  var key: String
  var expected: String
}

extension JSONValue {
  fileprivate func manifestText(_ key: String) throws(ManifestFlaw) -> String {
    guard let text = self[key]?.string else { throw ManifestFlaw(key: key, expected: "a text") }
    return text
  }

  fileprivate func manifestDigest(_ key: String) throws(ManifestFlaw) -> SHA256.Digest {
    guard let digest = self[key]?.string.flatMap(SHA256.Digest.init) else {
      throw ManifestFlaw(key: key, expected: "a SHA-256 in hexadecimal")
    }
    return digest
  }
}
