/// Versions, for `--version`, reports and the metadata of pictures.
enum Version {
  static let current = "0.1.0"

  /// The compiler that built the program: Swift does not tell at run time.
  static var swift: String {
    #if compiler(>=6.4)
      "6.4 or later"
    #elseif compiler(>=6.3)
      "6.3"
    #else
      "6.2"
    #endif
  }
}
