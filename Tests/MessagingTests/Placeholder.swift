import Testing

@testable import Messaging

@Test func placeholder() {}
