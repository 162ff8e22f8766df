import Testing

@testable import clusca

/// Machines made of files: what /proc and /sys look like there.
struct MachineTests {
  private func folder(_ files: [String: String]) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for (name, text) in files { try folder.file(name, text) }
    return folder
  }

  private let meminfo = "MemTotal:       16000 kB\nMemFree:         1000 kB\nMemAvailable:    8000 kB\nCached: 100 kB\n"

  @Test func withoutControlGroupsTheKernelsEstimateCounts() throws {
    let root = try folder(["proc/meminfo": meminfo])
    let memory = try #require(Memory(root: root.path))
    #expect(memory.total == 16000 * 1024)
    #expect(memory.available == 8000 * 1024)
    #expect(memory.limit == nil)
  }

  @Test func aLimitOfVersion2CountsWithoutPageCache() throws {
    let root = try folder([
      "proc/meminfo": meminfo, "proc/self/cgroup": "0::/user/job\n", "sys/fs/cgroup/user/job/memory.max": "max\n",
      "sys/fs/cgroup/user/memory.max": "4000000\n", "sys/fs/cgroup/user/memory.current": "3000000\n",
      "sys/fs/cgroup/user/memory.stat": "anon 1000000\nactive_file 1500000\ninactive_file 500000\n",
    ])
    let memory = try #require(Memory(root: root.path))
    #expect(memory.limit?.byteCount == 4_000_000)
    #expect(memory.available == 3_000_000)
    #expect(memory.usable == 4_000_000)
  }

  @Test func theTightestGroupCounts() throws {
    let root = try folder([
      "proc/meminfo": meminfo, "proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "5000000\n",
      "sys/fs/cgroup/a/memory.high": "2000000\n", "sys/fs/cgroup/memory.max": "6000000\n",
    ])
    #expect(Memory(root: root.path)?.available == 2_000_000)
  }

  @Test func aLimitOfVersion1InAContainerIsFoundAtTheMount() throws {
    let root = try folder([
      "proc/meminfo": meminfo, "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/docker/unknown\n",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "1000000\n",
      "sys/fs/cgroup/memory/memory.usage_in_bytes": "300000\n",
      "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 100000\ninactive_file 5\n",
      "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "150000\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    ])
    #expect(Memory(root: root.path)?.available == 800_000)
    #expect(Processor(root: root.path).quota == 1.5)
  }

  @Test func noLimitOfVersion1IsNone() throws {
    let root = try folder([
      "proc/meminfo": meminfo, "proc/self/cgroup": "4:memory:/\n",
      "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    ])
    #expect(Memory(root: root.path)?.limit == nil)
  }

  @Test func withoutProcTheMemoryIsUnknown() throws {
    #expect(Memory(root: try TemporaryFolder().path) == nil)
  }

  @Test func hyperthreadsAreNoCores() throws {
    let thread = { (core: Int) in
      "processor : 0\nmodel name\t: A CPU\nphysical id : 0\ncore id : \(core)\nflags\t\t: fpu avx2 fma avx512_bf16\n\n"
    }
    let root = try folder([
      "proc/cpuinfo": thread(0) + thread(1) + thread(0) + thread(1),
      "proc/self/status": "Name:\tx\nCpus_allowed:\tf\nCpus_allowed_list:\t0-1,3\n",
      "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n",
    ])
    let processor = Processor(root: root.path)
    #expect(processor.model == "A CPU")
    #expect(processor.physicalCores == 2)
    #expect(processor.allowedCores == 3)
    #expect(processor.instructionSets == ["fma", "avx2", "avx512_bf16"])
    #expect(processor.quota == 0.5)
  }
}
