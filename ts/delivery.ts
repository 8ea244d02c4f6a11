/**
 * Passes on what the engine tells: answers to the calls that wait, all else to the runs.
 *
 * # Promises
 * - Messages are passed on in their order, but for starts and signals: those come when every
 *   continuation of an acknowledgement has run, so a listener attached after `await addTask` sees
 *   `task.<uuid>.run`.
 * - One turn of the event loop passes on one text at most, and only for its share of the turn.
 * - What goes wrong with a message concerns no other.
 *
 * Proof: `__test__/contract/bridge.test.mjs`, `adding.test.mjs`, `__test__/process/loop.test.mjs`.
 */

import { AsyncResource } from 'node:async_hooks'
import type { TaskLog } from '../index'
import type { Bridge } from './bridge'
import { outcomeLine } from './commands'
import type { EngineLog } from './engine-logger'
import { spell } from './errors'
import { dateOf, nextTick, queueMicrotask, setImmediate, stringify } from './globals'
import {
  type Message,
  type MessageOf,
  type Messages,
  messagesIn,
  type Unreadable,
  unreadable,
} from './messages'
import { inRootContext } from './native'
import type { Calling, Runs } from './runs'

/** Messages that nobody listens to, between two looks at the clock. */
const QUIET_MESSAGES = 64

const NOTHING: Messages = [false, 0]
/** Where the first message stands. */
const FIRST = NOTHING.length

/** The messages of one bridge. */
export class Delivery {
  readonly #bridge: Bridge
  readonly #runs: Runs
  readonly #log: EngineLog | undefined
  #isDrainDue = false
  /** What was fetched, and how much of it has been passed on. */
  #messages: Messages = NOTHING
  #at = FIRST

  constructor(bridge: Bridge, runs: Runs, log: EngineLog | undefined) {
    this.#bridge = bridge
    this.#runs = runs
    this.#log = log
  }

  /** The engine has messages. */
  notified(): void {
    if (this.#isDrainDue) return
    this.#runs.pacer.begin()
    // The callback has one async context for good: what a listener enters must not stay in it.
    if (this.#runs.pacer.isUsedUp) this.#drainLater()
    else new AsyncResource('TASKER').runInAsyncScope(() => this.#drain())
  }

  #drainLater() {
    if (this.#isDrainDue) return
    this.#isDrainDue = true
    inRootContext(() =>
      setImmediate(() => {
        this.#isDrainDue = false
        this.#drain()
      }),
    )
  }

  #drain() {
    if (this.#bridge.isShut) return
    // Who was told of a notification while a part was left over fetches afterwards.
    const isFetched = this.#at >= this.#messages.length
    if (isFetched) this.#fetch()
    this.#runs.events.checkEmit()
    this.#deliver()
    if (this.#at < this.#messages.length || this.#messages[0] || !isFetched) this.#drainLater()
    else {
      this.#runs.delivered()
      this.#bridge.delivered()
    }
    this.#runs.pacer.look()
    this.#bridge.updateKeepAlive()
  }

  #fetch() {
    this.#messages = NOTHING
    this.#at = FIRST
    try {
      this.#messages = messagesIn(this.#bridge.drain())
    } catch (error) {
      // What was told is lost, and with it what calls wait for: none may be left to wait for ever.
      const message = `the engine's messages were lost: ${spell(error)}`
      this.#bridge.failed({ code: 'TASKER_BUG', message })
    }
  }

  #deliver() {
    const calling: Calling[] = []
    const [, since] = this.#messages
    let isAnswered = false
    while (this.#at < this.#messages.length) {
      const message = this.#messages[this.#at++] as Message | Unreadable
      isAnswered ||= message[0] === 'answer' || message[0] === 'refusal'
      this.#pass(message, calling)
      // Without listeners a message takes less than a look at the clock.
      const isLook = this.#runs.events.isHeard || this.#at % QUIET_MESSAGES === 0
      if (isLook && this.#runs.pacer.isUsedUp) break
    }
    if (calling.length === 0) return
    if (!isAnswered) this.#runs.begin(calling, since)
    else queueMicrotask(() => nextTick(() => this.#runs.begin(calling, since)))
  }

  /** The data of a run is no JSON: it fails, and its batch does not wait for it. */
  #refuse(slot: number) {
    this.#runs.missed(slot)
    this.#bridge.outcome(outcomeLine(slot, 'unstorable', stringify(unreadable)))
  }

  /** Takes the start of a run away. */
  #withdraw(calling: Calling[], slot: number) {
    const at = calling.findIndex(([kind, other]) => kind === 'start' && other === slot)
    if (at < 0) return
    calling.splice(at, 1)
    this.#runs.missed(slot)
  }

  #pass(message: Message | Unreadable, calling: Calling[]) {
    try {
      this.#passOn(message, calling)
    } catch (error) {
      this.#runs.events.fault(error)
    }
  }

  /** Passes one message on; what calls into user code is gathered in `calling`. */
  #passOn(message: Message | Unreadable, calling: Calling[]) {
    const [bridge, runs] = [this.#bridge, this.#runs]
    switch (message[0]) {
      case 'answer':
        return bridge.answered(message[1], message[2])
      case 'refusal':
        return bridge.refused(message[1], message[2])
      case 'batch':
        return runs.batches.announce(message)
      case 'start':
      case 'signal':
        return void calling.push(message)
      case 'halt':
        return runs.halt(message) ? undefined : void calling.push(message)
      case 'goOn':
        return runs.goOn(message)
      case 'runEnd':
        return runs.over(message) ? undefined : this.#withdraw(calling, message[1])
      case 'runRetry':
        return runs.retried(message) ? undefined : this.#withdraw(calling, message[1])
      case 'taskRetry':
        return runs.reopened(message)
      case 'taskPriority':
        return runs.prioritized(message)
      case 'taskUpdate':
        return runs.updated(message)
      case 'taskAdded':
      case 'taskRun':
        return runs.told(message)
      case 'taskLog':
      case 'taskProgress':
        return hear(runs, message)
      case 'tickRefused':
        return runs.tickRefused(message)
      case 'circuit':
        return runs.circuitTurned(message)
      case 'taskEnd':
        return runs.ended(message)
      case 'logs':
        return runs.logged(message)
      case 'progress':
        return runs.progressed(message)
      case 'remoteEvent':
        return runs.remoteEvent(message)
      case 'remotePriority':
        return runs.remotePriority(message)
      case 'remoteRetry':
        return runs.remoteRetry(message)
      case 'remoteEnd':
        return runs.remoteEnd(message)
      case 'awaitAck':
        return void bridge.command({ do: 'ack' }).catch(() => {})
      case 'eventsMissed':
        return runs.eventsMissed(message)
      case 'operationChanged':
        return runs.operationChanged(message)
      case 'idle':
      case 'drained':
        return runs.events.emit(message[0])
      case 'log':
        return this.#log?.tell(message)
      case 'loopBlocked':
        return runs.loopBlocked(message)
      case 'closed':
        return bridge.failed(message[1])
      default:
        return this.#refuse((message satisfies Unreadable)[1])
    }
  }
}

/** An executor outside has said something of its run. */
function hear({ events }: Runs, message: MessageOf<'taskLog'> | MessageOf<'taskProgress'>): void {
  if (message[0] === 'taskProgress') {
    events.emitTask('task.progress', message[1], message[2])
    return
  }
  const [, uuid, line] = message
  const log: TaskLog = { ...line, at: dateOf(line.at) }
  events.emitTask('task.log', uuid, log)
}
