import Files
import Tensors

extension PackedFile {
  /// The packed weights of a model's transformer, if there are some in the place for them. Nothing is read for it: which model
  /// it is has to be known from packing, or from another time when its digest was asked for.
  ///
  /// - Parameter path: of the model, a folder or a file.
  /// - Throws: what is wrong with the file.
  public init?(of path: String, _ precision: Precision, in cache: DigestCache) throws {
    // What is wrong with the model is said by whoever loads it.
    guard precision != .float32, let digest = try? ModelDigest.remembered(transformerOf: path, in: cache) else {
      return nil
    }
    let form = PackedForm(digest: digest, precision: precision)
    let file = "\(cache.packedFolder)/\(form.fileName)"
    guard Folder.isRegularFile(file) else { return nil }
    try self.init(path: file, form: form)
  }
}
