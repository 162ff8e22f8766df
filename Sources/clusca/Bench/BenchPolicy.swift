import Rendering

/// One way to render that is measured: a caching method with its options, or fewer plain steps.
struct BenchPolicy: Sendable, Equatable {
  /// As the user wrote it, such as `clusca:interval=5`.
  let name: String
  let cache: CacheSettings
  /// Of `none:steps=18`; nil for as many as the reference has.
  let steps: Int?

  /// What all others are compared to.
  var isReference: Bool { cache.method == .none && steps == nil }

  /// Its folder, without characters that a file system or a shell may not like.
  var folder: String {
    var folder = ""
    for character in name {
      if character.isASCII, character.isLetter || character.isNumber || character == "." {
        folder.append(character)
      } else if folder.last != "-" {
        folder.append("-")
      }
    }
    return folder
  }

  /// The policies of a list `name:option=value,…;…`. The reference comes first, whether it is named or not.
  ///
  /// - Throws: ``CommandFailure`` for a method or an option that there is not, and for a policy that is named twice.
  static func list(_ text: String, family: CacheSettings) throws(CommandFailure) -> [BenchPolicy] {
    var reference = family
    reference.method = .none
    var policies = [BenchPolicy(name: "none", cache: reference, steps: nil)]
    for part in text.split(separator: ";").map({ $0.filter { !$0.isWhitespace } }) where !part.isEmpty {
      let policy = try BenchPolicy(part, family: family)
      if policy.isReference { continue }
      guard !policies.contains(where: { $0.cache == policy.cache && $0.steps == policy.steps }) else {
        throw CommandFailure(.usage, "--policies: \(part) is there twice.")
      }
      guard !policies.contains(where: { $0.folder == policy.folder }) else {
        throw CommandFailure(.usage, "--policies: \(part) would have the same folder as another one, \(policy.folder).")
      }
      policies.append(policy)
    }
    guard policies.count > 1 else {
      throw CommandFailure(.usage, "--policies names nothing to compare to none; write for example clusca:interval=5.")
    }
    return policies
  }

  private init(name: String, cache: CacheSettings, steps: Int?) {
    self.name = name
    self.cache = cache
    self.steps = steps
  }

  private init(_ text: String, family: CacheSettings) throws(CommandFailure) {
    let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
    guard let method = parts.first.flatMap(CacheSettings.Method.init(rawValue:)) else {
      let methods = CacheSettings.Method.allCases.map(\.rawValue).joined(separator: ", ")
      throw CommandFailure(.usage, "--policies: \"\(parts.first ?? "")\" is no caching method; there are \(methods).")
    }
    var cache = family.using(method)
    guard parts.count > 1 else {
      self.init(name: text, cache: cache, steps: nil)
      return
    }
    if method == .none {
      guard parts[1].hasPrefix("steps="), let steps = Int(parts[1].dropFirst(6)),
        (1...RenderRequest.maximumSteps).contains(steps)
      else {
        throw CommandFailure(
          .usage, "--policies: \"\(parts[1])\" is no option of none, which has steps=N for fewer plain steps alone.")
      }
      self.init(name: text, cache: cache, steps: steps)
      return
    }
    do {
      try cache.apply(parts[1])
    } catch {
      throw CommandFailure(.usage, "--policies: \(error).")
    }
    self.init(name: text, cache: cache, steps: nil)
  }
}
