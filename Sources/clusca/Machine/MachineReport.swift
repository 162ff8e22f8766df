import Media
import Rendering
import StrictJSON
import Tensors

/// What a report on a fault, or a benchmark, has to say about program and machine.
struct MachineReport: Sendable {
  let processor: Processor
  /// Nil where /proc is not mounted.
  let memory: Memory?
  let threads: Int
  /// Names and versions: clusca itself, the compiler, the libraries.
  let versions: [(name: String, version: String)]
  /// What computes: the kernels and the products of matrices.
  let backEnds: [(name: String, description: String)]

  init(root: String = "") {
    processor = Processor(root: root)
    memory = Memory(root: root)
    threads = ThreadPool.shared.threads
    versions = [
      ("clusca", Version.current), ("Swift", Version.swift), ("libpng", PNG.libraryVersion),
      ("OpenBLAS", ComputeBackEnd.openBLAS),
    ]
    let set = ComputeBackEnd.instructionSet
    let bfloat16 = set == "avx512bf16" ? "avx512bf16 instructions" : "widened to float32 on the way"
    let float32 = ComputeBackEnd.multipliesFloat32 ? "packed on the way" : "OpenBLAS"
    backEnds = [
      ("kernels", set), ("float32 products", float32), ("bfloat16 products", "packed, \(bfloat16)"),
      ("numerics class", (try? NumericsClass.current().description) ?? "unknown"),
      ("MP4 and animated WebP", VideoFile.programPath ?? "none: there is no ffmpeg in PATH"),
    ]
  }

  /// What keeps the program from its best, each one sentence.
  var warnings: [String] {
    var warnings: [String] = []
    if processor.allowedCores < processor.logicalCores {
      warnings.append(
        "This process may run on \(processor.allowedCores) of \(processor.logicalCores) hardware threads only.")
    }
    if threads > processor.allowedCores {
      warnings.append("\(threads) threads are more than the \(processor.allowedCores) that can run at once.")
    }
    if let quota = processor.quota, quota < Double(threads) {
      warnings.append(
        "A control group grants the time of \(DecimalText.fixed(quota, digits: 1)) cores to \(threads) threads.")
    }
    if ComputeBackEnd.instructionSet == "generic" {
      warnings.append("The kernels are those for any CPU, many times slower than those for AVX2.")
    }
    if let wanted = Environment.variables["CLUSCA_ISA"], wanted != ComputeBackEnd.instructionSet {
      warnings.append("CLUSCA_ISA is \"\(wanted)\", which this CPU or program does not have.")
    }
    guard let memory else { return warnings + ["The memory is unknown: /proc/meminfo cannot be read."] }
    if memory.available < 2_000_000_000 {
      warnings.append("Only \(ByteCount(memory.available)) of memory are available.")
    }
    return warnings
  }

  var json: JSONObject {
    var json = JSONObject()
    json["versions"] = .object(JSONObject(texts: versions.map { ($0.name, $0.version) }))
    json["back_ends"] = .object(JSONObject(texts: backEnds.map { ($0.name, $0.description) }))
    json["cpu"] = [
      "model": processor.model.map(JSONValue.string) ?? .null,
      "instruction_sets": .array(processor.instructionSets.map(JSONValue.string)),
      "physical_cores": processor.physicalCores.map(JSONValue.integer) ?? .null,
      "logical_cores": .integer(processor.logicalCores), "allowed_cores": .integer(processor.allowedCores),
      "quota_cores": processor.quota.map(JSONValue.number) ?? .null,
    ]
    json["threads"] = .integer(threads)
    json["memory"] = .null
    if let memory {
      json["memory"] = [
        "total_bytes": .integer(memory.total), "available_bytes": .integer(memory.available),
        "limit_bytes": memory.limit.map { .integer($0.byteCount) } ?? .null,
        "limit_group": memory.limit.map { .string($0.group) } ?? .null,
      ]
    }
    return json
  }

  /// Name and value of each line.
  var lines: [(String, String)] {
    var lines = versions.map { ($0.name, $0.version) }
    lines.append(("CPU", processor.model ?? "unknown"))
    lines.append(("instruction sets", processor.instructionSets.joined(separator: " ")))
    let physical = processor.physicalCores.map { "\($0) physical, " } ?? ""
    let quota = processor.quota.map { ", time of \(DecimalText.fixed($0, digits: 1)) granted" } ?? ""
    lines.append(
      ("cores", "\(physical)\(processor.logicalCores) logical, \(processor.allowedCores) allowed\(quota)"))
    lines.append(("threads", String(threads)))
    lines += backEnds.map { ($0.name, $0.description) }
    if let memory {
      let limit = memory.limit.map { ", limit \(ByteCount($0.byteCount)) set by \($0.group)" } ?? ""
      lines.append(("memory", "\(ByteCount(memory.total)), \(ByteCount(memory.available)) available\(limit)"))
    } else {
      lines.append(("memory", "unknown"))
    }
    return lines
  }
}

extension JSONObject {
  init(texts: [(String, String)]) {
    self.init()
    for (key, text) in texts { self[key] = .string(text) }
  }
}
