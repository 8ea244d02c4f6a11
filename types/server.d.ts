/** Servers of HTTP: what `listen` and `http` take and give. */

import type { IncomingMessage, ServerResponse } from 'node:http'

/** What `listen` takes. */
export interface ListenOptions {
  /** At which port; 0 for a free one. 8275 by default. */
  port?: number
  /**
   * At which address of this machine: `'127.0.0.1'` by default. One that other machines reach needs
   * a `token`.
   */
  host?: string
  /**
   * What clients have to show: one token for everything, of 22 characters at least, or a list of
   * tokens that may do different things. Without it one is made: see `server.token`.
   */
  token?: string | readonly ServerToken[]
  /**
   * Names by which clients may call the server besides, as in their header `Host`, with or without
   * a port. At `127.0.0.1` only the names of this machine are taken otherwise, so that no web page
   * reaches the server by a name of its own.
   */
  allowedHosts?: readonly string[]
}

/** What a token may do: `read` looks, `write` adds and ends too, `executor` carries out as well. */
export type ServerRole = 'read' | 'write' | 'executor' | 'admin'

/** One of several tokens: as it is, or as its SHA-256 in hexadecimal digits. */
export type ServerToken = {
  /** Who has it. With Basic it is the user's name. No two are alike. */
  name: string
  role: ServerRole
  /** The operations to which it is confined; all if absent. */
  operations?: readonly string[]
} & ({ token: string; hash?: undefined } | { token?: undefined; hash: string })

/** A server that listens. */
export interface Server {
  readonly port: number
  /** Where it is, without a path: `http://127.0.0.1:8275`. Calls go to `<url>/rpc`. */
  readonly url: string
  /** The token that was given or made; absent if a list was given. `console.log` shows none. */
  readonly token: string | undefined
  /**
   * Takes no more requests and answers those that are under way: polls that wait with an empty
   * list. Resolves when nothing is left of the server. `stop` and `close` of the tasker do it too.
   */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * What a request may: the role of a token, or `'none'`, which is answered with 403. `by` says who
 * asks (1 to 255 bytes, no `':'`; `'http'` if absent): each has a share of its own of the requests
 * at once. `operations` are those to which they are confined, all if it is left out.
 */
export type HttpAccess =
  | ServerRole
  | 'none'
  | { role: ServerRole | 'none'; by?: string | undefined; operations?: readonly string[] }

/** What `http` takes. */
export interface HttpOptions<From extends object = IncomingMessage> {
  /**
   * Says what a request may. It is called once for each call, with what your server has: the
   * `IncomingMessage` of `node`, the `Request` of `fetch`, the request of Fastify. Say its type
   * where it is another one than that of node:http: `access: (request: Request) => …`.
   *
   * Nothing else of a request is taken as a token. If this throws or rejects, or gives what is no
   * access, the request is answered with 500 and the error goes to the event `error`, or becomes a
   * warning of the process.
   */
  access(request: From): HttpAccess | Promise<HttpAccess>
}

/**
 * Handlers for servers of yours: the same service as that of `listen`, at whatever path. Each works
 * by itself: `app.use('/tasks', http.node)`.
 */
export interface HttpHandlers {
  /**
   * For node:http, Express and what is like them. What is at none of its paths goes to `next`, or
   * is answered with 404. A body that a parser has read before is taken from `request.body`.
   */
  node(
    this: void,
    request: IncomingMessage,
    response: ServerResponse,
    next?: (error?: unknown) => void,
  ): void
  /** For Hono and what else answers a WHATWG `Request`. Its body must not have been read. */
  fetch(this: void, request: Request): Promise<Response>
  /** A plugin of Fastify: `fastify.register(http.fastify, { prefix: '/tasks' })`. */
  fastify(this: void, instance: object, options: object, done: (error?: Error) => void): void
}
