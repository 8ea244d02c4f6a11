// Calls of the Task Executor API against a tasker that listens, and requests as raw bytes.

import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { open } from './open.mjs'

export const AS_JSON = { 'content-type': 'application/json' }

/** A tasker that listens at a free port, with what calls it. */
export async function listening(t, options = {}, listenOptions = {}) {
  const tasker = open(t, options)
  const server = await tasker.listen({ port: 0, ...listenOptions })
  t.after(() => server.close())
  return { tasker, server, ...callsOf(server) }
}

/** Resolves when a poll waits for tasks of the operation `a`, or when none does any more. */
export async function polled(tasker, isPolled = true) {
  const uuid = await tasker.addTask({ operation: 'a', data: {}, delay: '1d' })
  for (;;) {
    const { reasons } = await tasker.explainTask(uuid)
    if (reasons.some(({ what }) => what === 'poll') !== isPolled) break
  }
  await tasker.removeTask(uuid)
}

/** What calls a server with its token, or another one. */
export function callsOf(server, token = server.token) {
  const headers = { ...AS_JSON, authorization: `Bearer ${token}` }
  const post = (body, more = {}) =>
    fetch(`${server.url}/rpc`, { method: 'POST', headers: { ...headers, ...more }, body })
  /** The status and the answer to a call. */
  const call = async (method, params) => {
    const response = await post(JSON.stringify({ method, params }))
    return { status: response.status, ...(await response.json()) }
  }
  /** The result of a call that must succeed. */
  const result = async (method, params) => {
    const answer = await call(method, params)
    assert.equal(answer.status, 200, JSON.stringify(answer))
    return answer.result
  }
  /** Asserts that a call is refused, and gives the error. */
  const refusal = async (method, params, status, code) => {
    const answer = await call(method, params)
    assert.deepEqual([answer.status, answer.error?.code], [status, code], JSON.stringify(answer))
    assert.equal('result' in answer, false)
    return answer.error
  }
  return { post, call, result, refusal }
}

/** What a server answers to bytes, until it closes the connection or `isEnough`. */
export function raw(server, bytes, isEnough = () => false) {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, '127.0.0.1', () => socket.write(bytes))
    let text = ''
    const end = () => resolve(text)
    socket.on('data', data => {
      text += data
      if (isEnough(text)) socket.destroy()
    })
    socket.on('close', end)
    socket.on('error', error => (text ? end() : reject(error)))
  })
}

/** A request as text. */
export function request(server, { verb = 'POST', path = '/rpc', headers = [], body = '' } = {}) {
  const own = [`Host: 127.0.0.1:${server.port}`, `Authorization: Bearer ${server.token}`]
  const length = [`Content-Length: ${Buffer.byteLength(body)}`, 'Content-Type: application/json']
  const lines = [`${verb} ${path} HTTP/1.1`, ...own, ...length, ...headers]
  return `${lines.join('\r\n')}\r\n\r\n${body}`
}

export const statusOf = text => Number(text.split(' ', 2)[1])
