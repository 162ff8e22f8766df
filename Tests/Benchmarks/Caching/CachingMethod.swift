import ArgumentParser
import Rendering

/// The ways to spend less on a picture that are compared.
enum CachingMethod: String, CaseIterable, ExpressibleByArgument {
  /// No cache, but as few steps as the caching methods compute in full.
  case fewerSteps = "steps"
  case fora
  case taylorseer1 = "taylorseer-1"
  case taylorseer2 = "taylorseer-2"
  case clusca
}

/// A method at an interval N of full steps.
struct CachingVariant: Hashable {
  let method: CachingMethod
  let interval: Int

  var name: String {
    switch method {
    case .fewerSteps: "fewer steps, as N=\(interval)"
    case .fora: "FORA N=\(interval)"
    case .taylorseer1: "TaylorSeer N=\(interval) O=1"
    case .taylorseer2: "TaylorSeer N=\(interval) O=2"
    case .clusca: "ClusCa N=\(interval)"
    }
  }

  /// The request for a picture by this method instead of without a cache.
  func request(_ uncached: RenderRequest, preset: CacheSettings) -> RenderRequest {
    var request = uncached
    request.cache = preset
    request.cache.interval = interval
    switch method {
    case .fewerSteps:
      request.steps = request.cache.policy.plannedSteps(uncached.steps).count { $0.kind.isFull }
      request.cache.method = .none
    case .fora: request.cache.method = .fora
    case .taylorseer1:
      request.cache.method = .taylorseer
      request.cache.maximumOrder = 1
    case .taylorseer2:
      request.cache.method = .taylorseer
      request.cache.maximumOrder = 2
    case .clusca: request.cache.method = .clusca
    }
    return request
  }
}
