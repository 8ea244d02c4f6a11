/**
 * Requests of HTTP that come through a server of the user's: who may what is asked here, everything
 * else of them is answered by the engine's side.
 *
 * # Promises
 * - A request whose access is not known is carried out by nobody: what `access` throws, and what it
 *   gives that is no access, is told as a fault and answered with 500.
 * - Who hangs up ends what waits for them.
 * - A handler keeps nothing alive but the requests that it answers.
 *
 * Proof: `__test__/contract/http-mount.test.mjs`.
 */

import type { Bridge } from './bridge'
import { invalid } from './errors'
import type { EventHub } from './events'
import { parse, stringify } from './globals'
import type { MountAnswer } from './messages'
import { native } from './native'

/** A request, whoever's server it came through. */
export interface Incoming {
  readonly verb: string
  /** Its path, perhaps with a query. */
  readonly target: string
  /** How the server was called, unless a header says it. */
  readonly host?: string | undefined
  /** Names and values in turn. */
  readonly headers: readonly string[]
  /** What `access` is asked about. */
  readonly request: object
  /** The whole body, or what feeds it when it is called. */
  body(): Uint8Array | Reader
}

/** Reads a body and hands over its parts. */
export type Reader = (feed: Feed) => void

/** Takes the body of a request. */
export interface Feed {
  /** The next part; whether more is wanted. */
  part(bytes: Uint8Array): boolean
  end(): void
  /** The end does not come. */
  breakOff(): void
}

/** Says whether who asked has gone. */
export class Leaving {
  hasLeft = false
  onLeave: (() => void) | undefined

  readonly leave = (): void => {
    this.hasLeft = true
    this.onLeave?.()
  }
}

/** What a handler needs of its tasker. */
export interface MountParts {
  readonly bridge: Bridge
  readonly events: EventHub
}

const END = new Uint8Array()

/** The service of one `tasker.http()`. */
export class Mount {
  readonly #bridge: Bridge
  readonly #events: EventHub
  readonly #access: (request: object) => unknown

  constructor({ bridge, events }: MountParts, access: (request: object) => unknown) {
    this.#bridge = bridge
    this.#events = events
    this.#access = access
  }

  /** Whether there is anything at the path of a request. */
  knows({ verb, target }: Incoming): boolean {
    return native().needsAccess(verb, target) !== null
  }

  /** The answer to a request; nothing if who asked has gone. */
  async answer(incoming: Incoming, leaving: Leaving): Promise<MountAnswer | undefined> {
    const { verb, target, host, headers } = incoming
    const head = stringify({ verb, target, host, headers })
    const isJudged = !this.#bridge.isShut && native().needsAccess(verb, target) === true
    const access = isJudged ? await this.#accessOf(incoming.request) : undefined
    // What is not judged has no body that matters.
    const given = access === undefined ? { body: END } : this.#given(incoming, access)
    if (leaving.hasLeft) return undefined
    try {
      return await this.#ask(head, given, leaving)
    } catch {
      // It was closed meanwhile, or has failed, which `close` and `error` tell.
      return closed(head)
    }
  }

  /** What the user says that a request may; nothing if that is not known. */
  async #accessOf(request: object): Promise<string | undefined> {
    const access = this.#access
    try {
      return accessText(await access(request))
    } catch (error) {
      this.#events.fault(error)
      return undefined
    }
  }

  /** The body with the access, or neither if the body is lost. */
  #given(incoming: Incoming, access: string): Given {
    try {
      return { body: incoming.body(), access }
    } catch (error) {
      this.#events.fault(error)
      return { body: END }
    }
  }

  async #ask(head: string, given: Given, leaving: Leaving): Promise<MountAnswer | undefined> {
    const bridge = this.#bridge
    if (bridge.isShut) return closed(head)
    const { body } = given
    const { ticket, answer } = this.#asked(head, given)
    leaving.onLeave = () => bridge.forget(ticket)
    if (typeof body === 'function') {
      body({
        part: bytes => bytes.length === 0 || bridge.feed(ticket, bytes),
        end: () => void bridge.feed(ticket, END),
        breakOff: () => void bridge.feed(ticket, undefined),
      })
    }
    return await answer
  }

  #asked(head: string, { access, body }: Given) {
    const whole = typeof body === 'function' ? undefined : body
    try {
      return this.#bridge.ask(head, access, whole)
    } catch (error) {
      this.#events.fault(error)
      return this.#bridge.ask(head, undefined, END)
    }
  }
}

interface Given {
  body: Uint8Array | Reader
  access?: string
}

const closed = (head: string): MountAnswer => parse(native().answerClosed(head))

/** The text of what `access` gave, which the engine's side judges. */
function accessText(given: unknown): string {
  for (const [name, value] of Object.entries(Object(given))) {
    // What JSON would leave out must not count as absent: without `operations` all are meant.
    const isLost = stringify(value) === undefined
    if (isLost && !(name === 'by' && value === undefined)) {
      throw invalid(`access.${name}`, 'must be a string or a list of strings; leave it out if not')
    }
  }
  const text: string | undefined = stringify(given)
  if (text !== undefined) return text
  throw invalid('access', "must give 'none', 'read', 'write', 'executor', 'admin' or { role }")
}
