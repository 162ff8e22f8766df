/// The version of the program, for `--version`, reports and the metadata of pictures.
enum Version {
  static let current = "0.1.0"
}
