/**
 * Handlers of requests for the servers of others: node:http and what is built on it, servers of
 * WHATWG requests, Fastify.
 *
 * # Promises
 * - Each works by itself, without its object.
 * - A body is read as it comes, and not at all if its request is refused before; one that a parser
 *   has read already is taken from it.
 *
 * Proof: `__test__/contract/http-mount.test.mjs`, `__test__/systems/http-frameworks.test.mjs`.
 */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { types } from 'node:util'
import type { HttpHandlers } from '../index'
import { invalid } from './errors'
import { stringify } from './globals'
import type { MountAnswer } from './messages'
import { type Feed, type Incoming, Leaving, Mount, type MountParts, type Reader } from './mount'
import { only } from './options'
import { type Abortable, hook, unhook } from './signals'

/** What `http` gives. */
export function handlersOf(parts: MountParts, options: unknown): HttpHandlers {
  const { access } = only(options, ['access'], 'options')
  if (typeof access !== 'function') {
    throw invalid('access', 'must be a function that says what a request may: request => role')
  }
  const mount = new Mount(parts, access as (request: object) => unknown)
  return {
    node: (request, response, next) => {
      const incoming = nodeIncoming(request)
      // Here, so that what `next` throws goes to who called this.
      if (next && !mount.knows(incoming)) next()
      else void serve(mount, incoming, response)
    },
    fetch: request => answered(mount, request),
    fastify: (instance, _options, done) => {
      plug(mount, instance as FastifyScope)
      done()
    },
  }
}

/** A request, with the body that a parser has left there. */
type Parsed = IncomingMessage & { body?: unknown }

function nodeIncoming(request: Parsed): Incoming {
  const body = () => (request.readableDidRead ? bytesOf(request.body) : readerOf(request))
  return { ...headOf(request), request, body }
}

async function serve(mount: Mount, incoming: Incoming, response: ServerResponse): Promise<void> {
  const leaving = leavingOf(response)
  const answer = await mount.answer(incoming, leaving)
  // Somebody else may have answered, because it took too long for them.
  if (!answer || leaving.hasLeft || response.headersSent) return
  const [status, headers, body] = answer
  response.statusCode = status
  for (const [name, value] of pairsOf(headers)) response.setHeader(name, value)
  response.end(body)
}

function headOf({ method = '', url = '', headers, rawHeaders }: IncomingMessage) {
  return { verb: method, target: url, host: headers.host, headers: rawHeaders }
}

/** Who asked leaves if the connection ends before the answer. */
function leavingOf(response: ServerResponse): Leaving {
  const leaving = new Leaving()
  if (response.destroyed) leaving.leave()
  response.once('close', () => {
    if (!response.writableFinished) leaving.leave()
  })
  return leaving
}

/** What a parser has made of a body, as bytes again. */
function bytesOf(body: unknown): Uint8Array {
  if (types.isUint8Array(body)) return body
  const text: string | undefined = typeof body === 'string' ? body : stringify(body)
  if (text !== undefined) return Buffer.from(text)
  throw invalid('request.body', 'was read before, and nothing of it is left here')
}

/** Reads a stream. It is not cut off: its connection has an answer to carry. */
function readerOf(stream: Readable): Reader {
  return feed => {
    let isWanted = true
    let isOver = false
    stream.on('data', (chunk: Uint8Array | string) => {
      if (isWanted) isWanted = feed.part(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
    })
    const over = (tell: () => void) => () => {
      if (!isOver) tell()
      isOver = true
    }
    stream.once('end', over(feed.end))
    stream.once('error', over(feed.breakOff))
    stream.once('close', over(feed.breakOff))
  }
}

async function answered(mount: Mount, request: Request): Promise<Response> {
  const leaving = new Leaving()
  const { signal } = request
  const abortable: Abortable = { abortedBy: leaving.leave }
  if (signal.aborted) leaving.leave()
  else hook(signal, abortable)
  try {
    const answer = await mount.answer(incomingOf(request), leaving)
    // Nobody reads this one.
    if (!answer) return new Response(null, { status: 499 })
    const [status, pairs, text] = answer
    // The connection is that of the server around it.
    const headers = pairsOf(pairs).filter(([name]) => name !== 'connection')
    const body = request.method === 'HEAD' ? null : text
    return new Response(body, { status, headers })
  } finally {
    unhook(signal, abortable)
  }
}

function incomingOf(request: Request): Incoming {
  const { pathname, host } = new URL(request.url)
  const headers = [...request.headers].flat()
  return { verb: request.method, target: pathname, host, headers, request, body: () => read() }

  function read() {
    const { body } = request
    if (request.bodyUsed || body?.locked) {
      throw invalid('request.body', 'was read before; hand on a clone of the request')
    }
    const reader = body?.getReader()
    return reader ? (feed: Feed) => void pump(reader, feed) : new Uint8Array()
  }
}

async function pump(reader: ReadableStreamDefaultReader<Uint8Array>, feed: Feed): Promise<void> {
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return feed.end()
      // It is not cancelled: its connection has an answer to carry.
      if (!feed.part(value)) return
    }
  } catch {
    feed.breakOff()
  }
}

/** What is used of an instance of Fastify. */
interface FastifyScope {
  removeAllContentTypeParsers(): unknown
  addContentTypeParser(type: string, parser: FastifyParser): unknown
  all(path: string, handler: (request: FastifyRequest, reply: FastifyReply) => unknown): unknown
}

type FastifyParser = (
  request: unknown,
  payload: Readable,
  done: (error: null, body: Readable) => void,
) => void

interface FastifyRequest {
  readonly raw: IncomingMessage
  readonly body: unknown
}

interface FastifyReply {
  readonly raw: ServerResponse
  callNotFound(): unknown
  hijack(): unknown
  code(status: number): unknown
  header(name: string, value: string): unknown
  send(text: string): unknown
}

/** Answers everything in a scope of Fastify; its parsers are those of the scope alone. */
function plug(mount: Mount, scope: FastifyScope): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
  scope.all('/*', async (request, reply) => {
    const body = () => fastifyBody(request.body)
    const incoming = { ...headOf(request.raw), request, body }
    if (!mount.knows(incoming)) return reply.callNotFound()
    const leaving = leavingOf(reply.raw)
    const answer = await mount.answer(incoming, leaving)
    if (!answer || leaving.hasLeft) return reply.hijack()
    return replied(reply, answer)
  })
}

function fastifyBody(body: unknown): Uint8Array | Reader {
  if (body === undefined || body === null) return new Uint8Array()
  const isStream = typeof (body as Partial<Readable>).pipe === 'function'
  return isStream ? readerOf(body as Readable) : bytesOf(body)
}

function replied(reply: FastifyReply, [status, headers, body]: MountAnswer): unknown {
  reply.code(status)
  for (const [name, value] of pairsOf(headers)) reply.header(name, value)
  return reply.send(body)
}

/** Names with their values. */
function pairsOf(headers: readonly string[]): [name: string, value: string][] {
  const names = headers.filter((_, at) => at % 2 === 0)
  return names.map((name, n) => [name, headers[2 * n + 1] as string])
}
