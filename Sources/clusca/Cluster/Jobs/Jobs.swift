import ArgumentParser

/// `clusca jobs`: the jobs that a coordinator remembers, and what may be done about them.
struct Jobs: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists jobs of a coordinator, or pauses, resumes, orders, requeues and forgets them.",
    discussion: "A client may do so with its own jobs, an admin with all. clusca cancel ends one.",
    subcommands: [
      ListJobs.self, PauseJobs.self, ResumeJobs.self, PrioritiseJobs.self, RequeueJobs.self, ForgetJobs.self,
    ],
    defaultSubcommand: ListJobs.self)
}
