// Processes beside the test that open taskers of their own.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const worker = fileURLToPath(new URL('worker.mjs', import.meta.url))

/** Another process; it is killed when the test is over. */
export class Far {
  #no = 0
  #owed = new Map()
  #said = new Map()
  #waiting = new Map()
  /** Warnings that it gave. */
  warnings = []

  constructor(t, ...flags) {
    // A process can wait for its standard input without turning its event loop.
    const stdio = ['pipe', 'inherit', 'inherit', 'ipc']
    this.child = fork(worker, { serialization: 'advanced', execArgv: flags, stdio })
    this.gone = once(this.child, 'exit')
    this.child.on('message', message => this.#take(message))
    // Whoever waits for a process that has gone must not wait for ever.
    this.gone.then(([code, signal]) => this.#fail(new Error(`it ended: ${code ?? signal}`)))
    t.after(() => this.kill('SIGKILL'))
  }

  get pid() {
    return this.child.pid
  }

  #take({ no, value, error, said }) {
    if (said) return this.#hear(said)
    const { resolve, reject } = this.#owed.get(no)
    this.#owed.delete(no)
    if (error) reject(Object.assign(new Error(error.message), error))
    else resolve(value)
  }

  #hear([kind, ...rest]) {
    if (kind === 'warning') this.warnings.push(rest[0])
    const waiting = this.#waiting.get(kind)?.shift()
    if (waiting) waiting.resolve(rest)
    else this.#said.set(kind, [...(this.#said.get(kind) ?? []), rest])
  }

  #fail(error) {
    for (const { reject } of [...this.#owed.values(), ...[...this.#waiting.values()].flat()]) {
      reject(error)
    }
  }

  /** Has it call a function with `here` of `worker.mjs`; nothing of the test is in its scope. */
  do(code, given) {
    const no = ++this.#no
    const text = String(code)
    return new Promise((resolve, reject) => {
      this.#owed.set(no, { resolve, reject })
      this.child.send({ no, text, given })
    })
  }

  /** The next of its words of this kind. */
  says(kind) {
    const said = this.#said.get(kind)?.shift()
    if (said) return Promise.resolve(said)
    return new Promise((resolve, reject) => {
      this.#waiting.set(kind, [...(this.#waiting.get(kind) ?? []), { resolve, reject }])
    })
  }

  /** Opens its tasker, with these of its runners. */
  open(options, runners = []) {
    return this.do(
      async (here, { options, runners }) => {
        here.tasker = new here.Tasker(options)
        for (const name of runners) here.tasker.assignRunner(name, here.runners[name])
        await here.tasker.ready()
      },
      { options, runners },
    )
  }

  start() {
    return this.do(here => here.tasker.start())
  }

  close() {
    return this.do(here => here.tasker.close({ onStop: 'postpone' }))
  }

  kill(signal) {
    this.child.kill(signal)
    return this.gone
  }
}

/** A process with an open tasker. */
export async function opened(t, options, runners) {
  const far = new Far(t)
  await far.open(options, runners)
  return far
}

/** A process with a started tasker. */
export async function started(t, options, runners) {
  const far = await opened(t, options, runners)
  await far.start()
  return far
}
