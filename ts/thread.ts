/**
 * What a thread of a runner begins with: loads the module of the runner, and runs one task after
 * the other.
 *
 * # Left to others
 * The thread ends when its tasker ends it, or by itself: `thread-pool.ts` notices.
 *
 * Proof: `__test__/contract/threads.test.mjs`.
 */

import { types } from 'node:util'
import { type MessagePort, parentPort } from 'node:worker_threads'
import { Context } from './context'
import { invalid, read } from './errors'
import { parse, wallMs } from './globals'
import type { MessageOf } from './messages'
import { resultText, unstorable } from './results'
import { wishOf } from './retries'
import type { AnyRunner } from './runs'
import { pack, type ThreadSetup, type ToThread, unpack } from './thread-messages'
import { type Post, Questions, ThreadHost, ThreadRun } from './thread-run'

/** The tasks of one thread. */
class Thread {
  readonly #post: Post
  readonly #questions: Questions
  readonly #runner: Promise<AnyRunner>
  #run: ThreadRun | undefined

  constructor(port: MessagePort, module: string) {
    this.#post = message => port.postMessage(message)
    this.#questions = new Questions(this.#post)
    this.#runner = load(module)
    // The first run tells.
    this.#runner.catch(() => {})
    port.on('message', (message: ToThread) => this.#heard(message))
  }

  #heard(message: ToThread) {
    switch (message[0]) {
      case 'start':
        this.#begin(message)
        break
      case 'abort':
        this.#run?.abort(unpack(message[1]) as Error)
        break
      case 'answer':
        this.#questions.answered(message[1], message[2])
        break
      case 'refuse':
        this.#questions.refused(message[1], unpack(message[2]))
        break
    }
  }

  #begin([, text, since, logs]: ToThread & { 0: 'start' }) {
    const message: MessageOf<'start'> = parse(text)
    const ways = { post: this.#post, questions: this.#questions }
    const host = new ThreadHost(logs.level, wallMs, this.#questions)
    this.#run = new ThreadRun([message, since], host, logs, ways)
    this.#execute(this.#run)
  }

  /** Never rejects. */
  async #execute(run: ThreadRun): Promise<void> {
    let runner: AnyRunner
    try {
      runner = await this.#runner
    } catch (error) {
      this.#post(['broken', pack(error)])
      return
    }
    try {
      const result = await runner(new Context(run))
      this.#returned(run, result)
    } catch (error) {
      const { how, delayMs } = wishOf(error)
      run.isOver = true
      this.#post(['threw', how, pack(error), delayMs])
    }
  }

  #returned(run: ThreadRun, result: unknown) {
    const { snoozeMs } = run
    if (snoozeMs !== undefined) {
      run.isOver = true
      this.#post(['returned', undefined, snoozeMs])
      return
    }
    try {
      const text = resultText(result)
      run.isOver = true
      this.#post(['returned', text, undefined])
    } catch (cause) {
      run.isOver = true
      this.#post(['threw', 'unstorable', pack(unstorable(cause)), undefined])
    }
  }
}

/** The runner that a module gives. */
async function load(module: string): Promise<AnyRunner> {
  const given: unknown = (await import(module)).default
  // What a compiler makes of a module with a default export, as CommonJS.
  const runner = typeof given === 'object' ? read(Object(given), 'default') : given
  const its = `the default export of ${module}`
  if (typeof runner !== 'function') throw invalid('runner', `${its} must be a function`)
  if (types.isGeneratorFunction(runner)) {
    throw invalid('runner', `${its} must not be a generator function`)
  }
  return runner as AnyRunner
}

// The first message is ours; then this channel is the module's, if it wants it.
parentPort?.once('message', ({ port, module }: ThreadSetup) => new Thread(port, module))
