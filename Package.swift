// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "clusca",
  products: [.executable(name: "clusca", targets: ["clusca"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
  ],
  targets: [
    // System libraries.
    .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
    .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"])]),
    .systemLibrary(name: "CZeroMQ", providers: [.apt(["libzmq3-dev"])]),
    .systemLibrary(name: "CProtobufC", pkgConfig: "libprotobuf-c", providers: [.apt(["libprotobuf-c-dev"])]),

    // From the ground up: each target may import only what stands above it.
    .target(name: "StrictJSON"),
    .target(name: "Files"),
    .target(name: "Measuring"),
    .target(name: "CKernels"),
    .target(name: "Tensors", dependencies: ["CKernels", "COpenBLAS", "Files", "StrictJSON"]),
    .target(name: "TorchFiles", dependencies: ["Tensors", "Files"]),
    .target(name: "Media", dependencies: ["CPNG", "Files", "StrictJSON"]),
    // What a coordinator must not forget, on a disk.
    .target(name: "Journaling", dependencies: ["Files"]),
    // The messages of Proto/, as protoc-c writes them: make messages.
    .target(name: "CMessages", dependencies: ["CProtobufC"]),
    .target(name: "Messaging", dependencies: ["CZeroMQ", "CMessages", "Files", "Tensors"]),
    .target(name: "FeatureCaching", dependencies: ["Tensors", "CKernels"]),
    .target(name: "Conditioning", dependencies: ["Tensors", "Files", "StrictJSON"]),
    .target(name: "Autoencoders", dependencies: ["Tensors", "CKernels", "COpenBLAS", "Files", "StrictJSON"]),
    .target(name: "Transformers", dependencies: ["Tensors", "FeatureCaching", "Files", "StrictJSON"]),
    .target(
      name: "Rendering",
      dependencies: [
        "Tensors", "FeatureCaching", "Files", "Conditioning", "Autoencoders", "Transformers", "StrictJSON",
      ]),
    .target(
      name: "Verification",
      dependencies: [
        "Rendering", "Autoencoders", "Conditioning", "FeatureCaching", "Files", "StrictJSON", "Tensors", "Transformers",
      ]),
    // Renders over many processes: coordinator, workers, and the plan of who has which blocks.
    .target(
      name: "RenderCluster",
      dependencies: [
        "Autoencoders", "FeatureCaching", "Files", "Journaling", "Messaging", "Rendering", "StrictJSON", "Tensors",
        "Transformers",
      ]),
    // The trained models that come with the package.
    .target(name: "DefaultModels", resources: [.copy("flux"), .copy("dit"), .copy("hunyuan")]),
    .executableTarget(
      name: "clusca",
      dependencies: [
        "Autoencoders", "Conditioning", "DefaultModels", "FeatureCaching", "Files", "Journaling", "Measuring", "Media",
        "Messaging", "RenderCluster", "Rendering", "StrictJSON", "Tensors", "TorchFiles", "Transformers",
        "Verification",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),

    // No part of the tests: swift run -c release Benchmarks NAME.
    .target(name: "CLimits", path: "Tests/CLimits"),
    .executableTarget(
      name: "Benchmarks",
      dependencies: [
        "CKernels", "CLimits", "COpenBLAS", "Autoencoders", "Conditioning", "DefaultModels", "FeatureCaching",
        "Measuring", "Media", "Rendering", "StrictJSON", "Tensors", "Transformers",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Tests/Benchmarks", exclude: ["PyTorch", "StableDiffusionCpp", "classes.csv", "videos.txt"],
      resources: [.embedInCode("prompts.txt")]),

    .testTarget(name: "StrictJSONTests", dependencies: ["StrictJSON"]),
    .testTarget(name: "MeasuringTests", dependencies: ["Measuring"]),
    .testTarget(name: "FilesTests", dependencies: ["Files"]),
    .testTarget(name: "JournalingTests", dependencies: ["Journaling", "Files"]),
    .testTarget(name: "TensorsTests", dependencies: ["Tensors", "Files", "StrictJSON"]),
    .testTarget(name: "MessagingTests", dependencies: ["Messaging", "CZeroMQ", "CMessages", "Files", "Tensors"]),
    .testTarget(name: "TorchFilesTests", dependencies: ["TorchFiles", "Tensors", "Files"]),
    .testTarget(name: "MediaTests", dependencies: ["Media", "Files", "StrictJSON"]),
    .testTarget(name: "FeatureCachingTests", dependencies: ["FeatureCaching", "Tensors"]),
    .testTarget(name: "ConditioningTests", dependencies: ["Conditioning", "Tensors", "StrictJSON"]),
    .testTarget(name: "AutoencodersTests", dependencies: ["Autoencoders", "Tensors", "StrictJSON"]),
    .testTarget(
      name: "TransformersTests", dependencies: ["Transformers", "Rendering", "FeatureCaching", "Tensors", "StrictJSON"]),
    .testTarget(name: "RenderingTests", dependencies: ["Rendering", "Verification", "Files", "Tensors", "StrictJSON"]),
    .testTarget(
      name: "RenderClusterTests",
      dependencies: [
        "RenderCluster", "Messaging", "Rendering", "Transformers", "FeatureCaching", "Files", "Journaling",
        "StrictJSON",
        "Tensors",
      ]),
    .testTarget(
      name: "CommandLineTests",
      dependencies: ["clusca", "Files", "Measuring", "Media", "Messaging", "Rendering", "StrictJSON", "Tensors"]),
  ]
)

// make fuzz: the program as a library, and what feeds bytes to everything that reads those of others. Builds without
// CLUSCA_FUZZING have none of it.
if Context.environment["CLUSCA_FUZZING"] != nil, let program = package.targets.first(where: { $0.name == "clusca" }) {
  package.products = []
  package.targets.removeAll { $0.isTest || ["clusca", "Benchmarks", "CLimits"].contains($0.name) }
  package.targets += [
    .target(
      name: "clusca", dependencies: program.dependencies,
      swiftSettings: [.unsafeFlags(["-Xfrontend", "-entry-point-function-name", "-Xfrontend", "clusca_main"])]),
    .executableTarget(
      name: "Fuzzing",
      dependencies: [
        "clusca", "Autoencoders", "Conditioning", "FeatureCaching", "Files", "Journaling", "Media", "Messaging",
        "RenderCluster", "Rendering", "StrictJSON", "Tensors", "TorchFiles", "Transformers",
      ],
      path: "Tests/Fuzzing", exclude: ["Corpora", "dictionary.txt", "fuzz.sh"]),
  ]
}

// make sanitize: what the sanitizer of threads cannot see by itself.
if Context.environment["CLUSCA_THREAD_SANITIZING"] != nil {
  for test in package.targets where test.isTest { test.dependencies.append("ThreadSanitizing") }
  package.targets.append(.target(name: "ThreadSanitizing", path: "Tests/ThreadSanitizing"))
}
