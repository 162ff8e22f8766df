@preconcurrency import CMessages
import Files
import Foundation
import Testing

@testable import Messaging

/// What Swift says about the protocol is what `Proto/clusca.proto` says.
@Suite struct GeneratedMessagesTests {
  private static let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path(percentEncoded: false)

  @Test func fieldsHaveTheNumbersAndLayoutsOfTheirDescriptor() {
    let descriptor = clusca__header__descriptor
    let fields = UnsafeBufferPointer(start: descriptor.fields, count: Int(descriptor.n_fields))
    #expect(fields.count == HeaderField.allCases.count)
    for (descriptor, field) in zip(fields, HeaderField.allCases) {
      let words = String(cString: descriptor.name).split(separator: "_")
      let name = words.enumerated().map { $0 == 0 ? String($1) : $1.capitalized }.joined()
      #expect("\(field)" == name)
      #expect(field.rawValue == Int(descriptor.id))
      let isRepeated = descriptor.label == PROTOBUF_C_LABEL_REPEATED
      let layout: HeaderField.Layout? =
        switch descriptor.type {
        case PROTOBUF_C_TYPE_UINT32, PROTOBUF_C_TYPE_ENUM: isRepeated ? .packed : .varint32
        case PROTOBUF_C_TYPE_UINT64: .varint64
        case PROTOBUF_C_TYPE_FLOAT: .fixed32
        case PROTOBUF_C_TYPE_FIXED64: .fixed64
        case PROTOBUF_C_TYPE_STRING: .text
        case PROTOBUF_C_TYPE_BYTES: isRepeated ? .repeatedBytes : .bytes
        default: nil
        }
      #expect(field.layout == layout, "\(field)")
    }
  }

  @Test func enumerationsAreThoseOfTheProtocol() {
    func check<Case: CaseIterable & RawRepresentable>(
      _ type: Case.Type, _ descriptor: ProtobufCEnumDescriptor, prefix: String
    ) where Case.RawValue: BinaryInteger {
      let values = UnsafeBufferPointer(start: descriptor.values, count: Int(descriptor.n_values))
      let named = values.filter { $0.value != 0 }.map { value in
        let words = String(cString: value.name).dropFirst(prefix.count).lowercased().split(separator: "_")
        return words.enumerated().map { $0 == 0 ? String($1) : $1.capitalized }.joined() + " \(value.value)"
      }
      #expect(Array(type.allCases).map { "\($0) \($0.rawValue)" }.sorted() == named.sorted())
    }
    check(MessageKind.self, clusca__kind__descriptor, prefix: "KIND_")
    check(Role.self, clusca__role__descriptor, prefix: "ROLE_")
    check(Reason.self, clusca__reason__descriptor, prefix: "REASON_")
    check(WirePrecision.self, clusca__precision__descriptor, prefix: "PRECISION_")
    check(WireStream.self, clusca__stream__descriptor, prefix: "STREAM_")
    check(WireElement.self, clusca__element_type__descriptor, prefix: "ELEMENT_TYPE_")
    check(JobEvent.Phase.self, clusca__phase__descriptor, prefix: "PHASE_")
    check(JobEnding.Outcome.self, clusca__outcome__descriptor, prefix: "OUTCOME_")
  }

  /// The list in brackets behind each kind in the protocol.
  @Test func kindsHaveTheFieldsThatTheProtocolLists() throws {
    let proto = try String(contentsOfFile: Self.package + "Proto/clusca.proto", encoding: .utf8)
    for kind in MessageKind.allCases {
      let line = try #require(
        proto.split(separator: "\n").first { $0.contains(" = \(kind.rawValue);") && $0.contains("KIND_") })
      let list = try #require(
        line.split(separator: "[").last?.split(separator: "]", omittingEmptySubsequences: false).first)
      var listed: Set<String> = []
      for word in list.split(separator: " ") {
        let stem = word.split(separator: "_").enumerated().map { $0 == 0 ? String($1) : $1.capitalized }.joined()
        if word.hasSuffix("_*") {
          let prefix = String(stem.dropLast(1))
          listed.formUnion(HeaderField.allCases.map { "\($0)" }.filter { $0.hasPrefix(prefix) && $0 != prefix })
        } else {
          listed.insert(stem)
        }
      }
      let fields = HeaderField.allCases.filter { kind.fields.contains($0) }.map { "\($0)" }
      #expect(Set(fields) == listed, "\(kind)")
    }
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/protoc-c")))
  func theGeneratedCodeIsThatOfTheProtocol() throws {
    let folder = try TemporaryFolder()
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/protoc-c")
    process.arguments = ["--proto_path=\(Self.package)Proto", "--c_out=\(folder.path)", "clusca.proto"]
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    for (name, committed) in [("clusca.pb-c.c", ""), ("clusca.pb-c.h", "include/")] {
      let new = try InputFile.read("\(folder.path)/\(name)", maximumBytes: 1 << 20)
      let old = try InputFile.read("\(Self.package)Sources/CMessages/\(committed)\(name)", maximumBytes: 1 << 20)
      #expect(new == old, "\(name) is to be written anew: make messages")
    }
  }
}
