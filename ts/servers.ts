/**
 * Servers of HTTP. They answer on a thread of their own; here are their handles, and the beat that
 * tells them that the event loop goes round. And whether requests are answered that come through a
 * server of the user's.
 *
 * # Promises
 * - A process stays alive while it listens, and no longer.
 * - A handle that is shown shows no token.
 *
 * Proof: `__test__/contract/http-listen.test.mjs`, `__test__/contract/http-mount.test.mjs`.
 */

import type { ListenOptions, Server as PublicServer } from '../index'
import type { Attachment, Bridge, Listening } from './bridge'
import { invalid } from './errors'
import { clearInterval, setInterval, stringify } from './globals'
import { inRootContext } from './native'
import type { Loose } from './objects'
import { only } from './options'

const OPTIONS = ['port', 'host', 'token', 'allowedHosts']

/** How often the event loop says that it goes round. */
const BEAT_MS = 1_000

/** The servers of a tasker. */
export class Servers implements Attachment {
  readonly #bridge: Bridge
  readonly #open = new Set<Server>()
  /** Servers that are about to listen. */
  #opening = 0
  #beat: NodeJS.Timeout | undefined
  /** Whether requests may come through servers of the user's, and whether they are answered. */
  #mount: 'none' | 'open' | 'closed' = 'none'
  #unmounting: Promise<void> | undefined

  constructor(bridge: Bridge) {
    this.#bridge = bridge
  }

  get isAwaited(): boolean {
    return this.#open.size > 0
  }

  get isOver(): boolean {
    return this.#open.size + this.#opening === 0 && this.#mount !== 'open' && !this.#unmounting
  }

  closed(): void {
    this.#open.clear()
    this.#mount = 'none'
    this.#look()
  }

  /** Answers requests that come through servers of the user's. */
  mount(): void {
    this.#bridge.mount()
    this.#bridge.attach(this)
    this.#mount = 'open'
  }

  /** The tasker starts: what a stop has closed is open again, but for servers of its own. */
  started(): void {
    if (this.#mount === 'closed') this.mount()
  }

  /** Begins to listen. */
  async listen(options: ListenOptions | undefined): Promise<PublicServer> {
    const text = textOf(only(options, OPTIONS, 'options'))
    this.#opening += 1
    this.#bridge.attach(this)
    try {
      return await this.#bridge.listen(text, listening => {
        const server: Server = new Server(listening, () => this.#close(server))
        this.#open.add(server)
        this.#look()
        return server
      })
    } finally {
      this.#opening -= 1
    }
  }

  /** Closes all; resolves when nothing is left of them. */
  async close(): Promise<void> {
    await Promise.all([this.#unmount(), ...[...this.#open].map(server => server.close())])
  }

  async #unmount(): Promise<void> {
    if (this.#mount === 'open') {
      this.#mount = 'closed'
      const over = () => {
        this.#unmounting = undefined
      }
      // If the tasker fails meanwhile, nothing is left to answer.
      this.#unmounting = this.#bridge.unmount().then(over, over)
    }
    await this.#unmounting
  }

  async #close(server: Server): Promise<void> {
    try {
      await this.#bridge.unlisten(server.number)
    } finally {
      this.#open.delete(server)
      this.#look()
      this.#bridge.updateKeepAlive()
    }
  }

  /** The loop tells that it goes round as long as somebody may ask. */
  #look() {
    if (this.#open.size > 0 && !this.#beat) {
      const beat = () => this.#bridge.beat()
      this.#beat = inRootContext(() => setInterval(beat, BEAT_MS))
      this.#beat.unref()
    } else if (this.#open.size === 0) {
      clearInterval(this.#beat)
      this.#beat = undefined
    }
  }
}

/** The options, which the engine judges. */
function textOf(options: Loose): string {
  for (const [name, value] of Object.entries(options)) {
    const isLost = value !== undefined && stringify(value) === undefined
    if (isLost) throw invalid(name, 'must be a string, a number or a list')
  }
  return stringify(options)
}

/** A server, as users hold it. */
class Server implements PublicServer {
  readonly port: number
  readonly url: string
  /** Not seen by `console.log`. */
  readonly #token: string | undefined
  readonly #number: number
  readonly #end: () => Promise<void>
  #closing: Promise<void> | undefined

  constructor({ number, port, url, token }: Listening, end: () => Promise<void>) {
    this.port = port
    this.url = url
    this.#token = token
    this.#number = number
    this.#end = end
  }

  get token(): string | undefined {
    return this.#token
  }

  get number(): number {
    return this.#number
  }

  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
