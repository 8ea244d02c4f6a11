/**
 * The threads of one runner: a module that each of them loads, and runs one task at a time.
 *
 * A run gets a thread that is idle, or a new one. The engine starts no more than there may be
 * threads, so nothing waits here.
 *
 * # Promises
 * - A run that the engine has given up ends with its thread, whatever it does; others go on.
 * - A thread that ends by itself fails its run, and the next run gets another thread.
 * - A thread keeps the process alive no longer than its tasker does.
 *
 * # Left to others
 * The thread: `thread.ts`. When the engine gives a run up: `engine::timeout`.
 *
 * Proof: `__test__/contract/threads.test.mjs`, `__test__/process/leaks.test.mjs`.
 */

import { existsSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads'
import type { How } from './commands'
import { THREADS_MAX } from './constants'
import { invalid, isError, read, spell, TaskerError } from './errors'
import { clearTimeout, setTimeout, stringify } from './globals'
import { inRootContext } from './native'
import type { Run, RunThread } from './run'
import { isUrl } from './store-path'
import {
  type FromThread,
  type LogRules,
  type PackedError,
  pack,
  type Question,
  type ThreadSetup,
  type ToThread,
  unpack,
} from './thread-messages'
import { warn, warnOf } from './warnings'

/** How long a thread waits for its next run. */
const IDLE_MS = 30_000

/** What runs in threads need of their tasker. */
export interface ThreadSource {
  readonly logRules: LogRules
  /** The answer to what a run asks, as JSON text. */
  answer(question: Question, run: Run | undefined): Promise<string | undefined>
  /** A run has returned the result with this JSON text, or wants to go on later. */
  returnedText(run: Run, text: string | undefined, snoozeMs: number | undefined): void
  /** A run has thrown this, which is stored as this JSON text. */
  threwText(run: Run, how: How, thrown: unknown, text: string, delayMs?: number): void
}

/** The URL of a module that is a runner, as text. */
export function moduleOf(operation: string, module: URL): string {
  const its = `the runner of ${stringify(operation)}`
  const { href } = module
  let path: string
  try {
    path = fileURLToPath(href)
  } catch (cause) {
    throw invalid('runner', `${its} must be a function, or the file: URL of a module`, cause)
  }
  if (statSync(path, { throwIfNoEntry: false })?.isFile()) return href
  throw invalid('runner', `${its} is a module that is not there: ${href}`)
}

/** How many threads a runner may have that says so, or does not. */
export function threadsOf(given: unknown, runner: unknown): number | undefined {
  if (!isUrl(runner)) {
    if (given === undefined) return undefined
    const message = 'is for a runner that is a module; give its file: URL in place of the function'
    throw invalid('threads', message)
  }
  if (given === undefined) return Math.min(Math.max(availableParallelism() - 1, 1), THREADS_MAX)
  const isCount = Number.isSafeInteger(given) && Number(given) >= 1
  if (isCount && Number(given) <= THREADS_MAX) return Number(given)
  throw invalid('threads', `must be a whole number from 1 to ${THREADS_MAX}`)
}

/** The threads of one runner. */
export class ThreadPool {
  readonly #module: string
  readonly #idleMs: number
  readonly #threads = new Set<Thread>()
  #isRetired = false
  #hasWarned = false

  constructor(module: string, idleMs = IDLE_MS) {
    this.#module = module
    this.#idleMs = idleMs
  }

  /** How many threads there are. */
  get size(): number {
    return this.#threads.size
  }

  /** Whether it was taken away, and has no thread any more. */
  get isOver(): boolean {
    return this.#isRetired && this.#threads.size === 0
  }

  /** Carries out a run in a thread. */
  run(run: Run, source: ThreadSource): void {
    if (run.host.attachmentOf(run.uuid) !== undefined) {
      const message = 'attach: stays in memory, and this runner is a module in a thread of its own'
      const error = new TaskerError('TASKER_UNSUPPORTED', message, { path: 'attach' })
      source.threwText(run, 'unrecoverable', ...toldOf(error))
      return
    }
    for (const thread of this.#threads) {
      if (thread.isIdle) {
        thread.begin(run, source)
        return
      }
    }
    try {
      this.#added().begin(run, source)
    } catch (cause) {
      const message = `no thread can be started: ${spell(read(Object(cause), 'message'))}`
      const error = new TaskerError('TASKER_UNSUPPORTED', message, { cause })
      source.threwText(run, 'unrecoverable', ...toldOf(error))
    }
  }

  #added(): Thread {
    const thread: Thread = new Thread(this.#module, {
      gone: () => this.#threads.delete(thread),
      isFree: () => {
        if (this.#isRetired) thread.end()
        else thread.rest(this.#idleMs)
      },
      broken: error => this.#broken(error),
    })
    this.#threads.add(thread)
    return thread
  }

  /** The module cannot be used: each of its tasks fails for good. */
  #broken(error: unknown) {
    if (this.#hasWarned) return
    this.#hasWarned = true
    const why = isError(error) ? read(error, 'message') : error
    const message = `a module that is a runner cannot be used, and its tasks fail: ${this.#module}`
    warn('TASKER_RUNNER_BROKEN', `${message}: ${spell(why)}`)
  }

  /** The runner was taken away: its live runs go on. */
  retire(): void {
    this.#isRetired = true
    for (const thread of this.#threads) if (thread.isIdle) thread.end()
  }

  /** Ends all threads; resolves when they are gone. */
  async end(): Promise<void> {
    await Promise.all([...this.#threads].map(thread => thread.end()))
  }
}

/** What a thread tells its pool. */
interface Keeper {
  /** It has ended. */
  gone(): void
  /** It waits for its next run. */
  isFree(): void
  broken(error: unknown): void
}

/** The file that a thread begins with. */
const ENTRY = typeof __dirname === 'string' ? join(__dirname, 'thread.js') : ''

/** One thread, and the run that it has. */
class Thread implements RunThread {
  readonly #worker: Worker
  readonly #port: MessagePort
  readonly #keeper: Keeper
  #source: ThreadSource | undefined
  #run: Run | undefined
  #idle: NodeJS.Timeout | undefined
  #ending: Promise<unknown> | undefined
  /** What nobody caught in it. */
  #fault: { error: unknown } | undefined

  constructor(module: string, keeper: Keeper) {
    if (!existsSync(ENTRY)) {
      throw new Error('this code is not in its package; tell the bundler that tasker is external')
    }
    this.#keeper = keeper
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    // Whoever adds a task first has a context that is nobody else's business.
    this.#worker = inRootContext(() => new Worker(ENTRY, { name: 'tasker' }))
    this.#worker.on('error', error => {
      this.#fault = { error }
    })
    this.#worker.once('exit', code => this.#exited(code))
    port1.on('message', (message: FromThread) => this.#heard(message))
    const setup: ThreadSetup = { module, port: port2 }
    this.#worker.postMessage(setup, [port2])
    // Its tasker keeps the process alive while it has runs.
    this.#worker.unref()
    port1.unref()
  }

  get isIdle(): boolean {
    return this.#run === undefined && this.#ending === undefined
  }

  begin(run: Run, source: ThreadSource): void {
    clearTimeout(this.#idle)
    this.#run = run
    this.#source = source
    run.thread = this
    this.#post(['start', stringify(run.message), run.since, source.logRules])
    if (run.reason) this.abort(run.reason)
  }

  abort(reason: Error): void {
    this.#post(['abort', pack(reason)])
  }

  giveUp(): void {
    this.end()
  }

  /** Waits so long for its next run. */
  rest(ms: number): void {
    this.#idle = setTimeout(() => this.end(), ms).unref()
  }

  /** Ends it, whatever it does; resolves when it is gone. */
  end(): Promise<unknown> {
    if (this.#ending) return this.#ending
    clearTimeout(this.#idle)
    this.#free()
    this.#ending = this.#worker.terminate()
    this.#port.close()
    return this.#ending
  }

  #post(message: ToThread) {
    if (!this.#ending) this.#port.postMessage(message)
  }

  /** Its run is over. */
  #free() {
    if (this.#run) this.#run.thread = undefined
    this.#run = undefined
  }

  #heard(message: FromThread) {
    const [run, source] = [this.#run, this.#source]
    if (this.#ending || !source) return
    // Also a run that is over may ask for something still.
    if (message[0] === 'ask') this.#asked(message[1], source.answer(message[2], run))
    else if (run) this.#told(message, run, source)
  }

  #told(message: Exclude<FromThread, { 0: 'ask' }>, run: Run, source: ThreadSource) {
    switch (message[0]) {
      case 'log':
        run.log(message[1], message[2], message[3], message[4])
        break
      case 'progress':
        run.progress(message[1], message[2], message[3])
        break
      case 'returned':
        this.#settled()
        source.returnedText(run, message[1], message[2])
        break
      case 'threw': {
        this.#settled()
        const [, how, error, delayMs] = message
        source.threwText(run, how, unpack(error), textOf(error), delayMs)
        break
      }
      case 'broken':
        this.#isBroken(run, source, message[1])
        break
    }
  }

  async #asked(question: number, answer: Promise<string | undefined>) {
    try {
      this.#post(['answer', question, await answer])
    } catch (error) {
      this.#post(['refuse', question, pack(error)])
    }
  }

  #settled() {
    this.#free()
    this.#keeper.isFree()
  }

  #isBroken(run: Run, source: ThreadSource, packed: PackedError) {
    this.end()
    const cause = unpack(packed)
    this.#keeper.broken(cause)
    const isOurs = cause instanceof TaskerError
    const message = `runner: its module cannot be loaded: ${spell(read(Object(cause), 'message'))}`
    const error = isOurs ? cause : new TaskerError('TASKER_INVALID', message, broken(cause))
    source.threwText(run, 'unrecoverable', ...toldOf(error))
  }

  /** It has ended, of itself unless it was ended here. */
  #exited(code: number) {
    this.#keeper.gone()
    if (this.#ending) return
    // What it said before that counts.
    for (let next = receiveMessageOnPort(this.#port); next; ) {
      this.#heard(next.message)
      next = receiveMessageOnPort(this.#port)
    }
    const [run, source] = [this.#run, this.#source]
    this.end()
    if (run && source) source.threwText(run, 'threw', ...toldOf(this.#exit(code)))
    else if (this.#fault) warnOf(this.#fault.error)
  }

  #exit(code: number): TaskerError {
    const { error } = this.#fault ?? {}
    const why = this.#fault
      ? spell(read(Object(error), 'message') ?? error)
      : `process.exit(${code})`
    const message = `the thread of the run has ended before the run: ${why}`
    return new TaskerError('TASKER_THREAD_EXITED', message, this.#fault ? { cause: error } : {})
  }
}

const broken = (cause: unknown) => ({ path: 'runner', cause })

const textOf = ([, text]: PackedError) => text

/** An error, and the text under which it is stored. */
const toldOf = (error: TaskerError): [TaskerError, string] => [error, textOf(pack(error))]
