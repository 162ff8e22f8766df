import Media

/// A PNG file whose errors name it.
struct PictureFile {
  let path: String
  private let bytes: [UInt8]

  init(_ path: String) throws {
    self.path = path
    bytes = try PNG.file(path)
  }

  func picture() throws -> Picture { try naming { () throws(MediaError) in try PNG.decode(bytes) } }

  func size() throws -> (width: Int, height: Int) { try naming { () throws(MediaError) in try PNG.size(of: bytes) } }

  func texts() throws -> [PNGText] { try naming { () throws(MediaError) in try PNG.texts(in: bytes) } }

  private func naming<Value>(_ body: () throws(MediaError) -> Value) throws(CommandFailure) -> Value {
    do throws(MediaError) {
      return try body()
    } catch {
      if case .unreadablePNG(let reason) = error {
        throw CommandFailure(.input, "\(path) cannot be read as a PNG: \(reason).")
      }
      throw CommandFailure(.input, "\(path): \(error)")
    }
  }
}
