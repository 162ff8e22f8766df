import Files
import Rendering
import Tensors

/// Packed weights in the folder for caches.
enum PackedWeights {
  /// Those of a model, if there are any that can be used; they only save time and memory.
  static func file(of path: String, _ precision: Precision, isQuiet: Bool) -> PackedFile? {
    guard let cache = DigestCache(environment: Environment.variables) else { return nil }
    do {
      return try PackedFile(of: path, precision, in: cache)
    } catch {
      if !isQuiet {
        let sentence = ErrorReport(error).sentence ?? "The packed weights cannot be read."
        StandardError.write("clusca: \(sentence) The weights are packed now; clusca pack writes the file anew.")
      }
      return nil
    }
  }
}
