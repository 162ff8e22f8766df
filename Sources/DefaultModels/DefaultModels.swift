import Glibc

/// The trained models that come with the package.
public enum DefaultModels {
  /// The folder of a model, such as "flux"; nil if it was not installed with the program.
  ///
  /// It is looked for beside the program, where the build puts it, and in `../share/clusca/models`, where a package of a
  /// distribution would.
  public static func folder(_ name: String) -> String? {
    var path = [CChar](repeating: 0, count: Int(PATH_MAX))
    let length = readlink("/proc/self/exe", &path, path.count)
    guard length > 0 else { return nil }
    let program = String(decoding: path[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    guard let slash = program.lastIndex(of: "/") else { return nil }
    let folder = program[..<slash]
    return ["\(folder)/clusca_DefaultModels.resources/\(name)", "\(folder)/../share/clusca/models/\(name)"].first {
      access("\($0)/model_index.json", R_OK) == 0
    }
  }
}
