/**
 * A run in a thread, as the thread sees it: what it reports and asks for goes to its tasker.
 *
 * # Promises
 * - Its context is that of a run beside its tasker: the same functions, which refuse the same.
 * - A checkpoint always asks the tasker, so that a thread that computes hears there of its signal.
 *
 * # Left to others
 * The other side: `thread-pool.ts`.
 *
 * Proof: `__test__/contract/threads.test.mjs`.
 */

import type { DependencyResult, HoldOptions, TaskDefinition, TaskProgress } from '../index'
import { Deferred } from './calls'
import { LOGS_PER_TASK_MAX } from './constants'
import { TaskerError, traced, untraced } from './errors'
import { parse } from './globals'
import { holdCommand } from './holds'
import type { MessageOf } from './messages'
import { definitionText, membersOf } from './options'
import { Run, type RunHost } from './run'
import type { FromThread, LogRules, Question } from './thread-messages'

/** Sends to the tasker. */
export type Post = (message: FromThread) => void

/** What runs of a thread have asked of their tasker. */
export class Questions {
  readonly #post: Post
  readonly #open = new Map<number, Deferred>()
  #last = 0

  constructor(post: Post) {
    this.#post = post
  }

  /** Resolves with the JSON text of the answer. */
  ask(question: Question): Promise<string | undefined> {
    const deferred = new Deferred()
    this.#last += 1
    this.#open.set(this.#last, deferred)
    this.#post(['ask', this.#last, question])
    return traced(deferred.promise)
  }

  answered(question: number, text: string | undefined): void {
    this.#taken(question)?.resolve(text)
  }

  refused(question: number, error: unknown): void {
    // Its stack is that of the tasker; the one who asked has another.
    this.#taken(question)?.reject(error instanceof TaskerError ? untraced(error) : error)
  }

  #taken(question: number): Deferred | undefined {
    const deferred = this.#open.get(question)
    this.#open.delete(question)
    return deferred
  }
}

/** A run in this thread. */
export class ThreadRun extends Run {
  readonly #post: Post
  readonly #questions: Questions
  readonly #rules: LogRules
  #logs = 0

  constructor(
    [message, since]: [MessageOf<'start'>, since: number],
    host: RunHost,
    rules: LogRules,
    { post, questions }: { post: Post; questions: Questions },
  ) {
    super(message, since, host)
    this.#post = post
    this.#questions = questions
    this.#rules = rules
  }

  override takes(level: number): boolean {
    // A task keeps no more, and one line more says so.
    return super.takes(level) && (this.#rules.areMirrored || this.#logs <= LOGS_PER_TASK_MAX)
  }

  override log(level: number, message: string, fields: string | undefined): void {
    this.#logs += 1
    const at = this.#rules.haveOwnClock ? undefined : this.host.wallMs()
    this.#post(['log', level, message, fields, at])
  }

  override report({ current, total, unit }: TaskProgress): void {
    this.#post(['progress', current, total, unit])
  }

  override async checkpoint(): Promise<void> {
    if (this.reason) throw this.reason
    if (this.isOver) return
    try {
      await this.#questions.ask(['checkpoint', this.slot])
    } catch (error) {
      throw this.reason ?? error
    }
  }
}

/** What a run in a thread needs, of which its tasker has most. */
export class ThreadHost implements RunHost {
  readonly level: number
  /** Listeners are beside the tasker. */
  readonly wants = { log: false, progress: false, idle: false, drained: false }
  readonly wallMs: () => number
  readonly #questions: Questions

  constructor(level: number, wallMs: () => number, questions: Questions) {
    this.level = level
    this.wallMs = wallMs
    this.#questions = questions
  }

  /** What its lines become is decided beside the tasker. */
  readonly mirror = undefined

  record(): void {}

  /** What stays in memory cannot leave it: a task that has it is refused before. */
  attachmentOf(): undefined {}

  async hold(uuid: string, options: HoldOptions): Promise<number> {
    const { query, until } = holdCommand(options)
    const text = await this.#questions.ask(['hold', uuid, query.text, until.text])
    return parse(text as string)
  }

  async addChild<Uuid>(parent: string, definition: TaskDefinition): Promise<Uuid> {
    const members = membersOf(definition, undefined)
    refuseOfMemory(members)
    const text = definitionText({ parent, ...members })
    return parse((await this.#questions.ask(['addTask', parent, text])) as string)
  }

  async results(uuid: string): Promise<DependencyResult[]> {
    return parse((await this.#questions.ask(['results', uuid])) as string)
  }
}

/** Refuses what lives in the memory of this thread, and would be nowhere else. */
function refuseOfMemory(members: Record<string, unknown>) {
  const path = ['attach', 'abortSignal'].find(word => members[word] !== undefined)
  if (path === undefined) return
  const message = `${path}: stays in the memory of a thread, which may end before the task does`
  throw new TaskerError('TASKER_UNSUPPORTED', `${message}; leave it out here`, { path })
}
