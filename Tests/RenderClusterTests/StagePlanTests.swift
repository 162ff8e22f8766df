import Testing

@testable import RenderCluster

@Suite struct StagePlanTests {
}
