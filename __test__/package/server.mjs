// What every example of a web server is held to, whatever its framework. They have one interface:
// POST and GET /thumbnails.

import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { tasksOf } from './example.mjs'

export async function json(url, options) {
  const response = await fetch(url, options)
  const text = await response.text()
  return { status: response.status, body: text && JSON.parse(text) }
}

export const post = (url, data) =>
  json(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof data === 'string' ? data : JSON.stringify(data),
  })

/** Reads what a server prints until it says where it listens. */
export async function address(server) {
  for (let line = await server.line(); line !== undefined; line = await server.line()) {
    const [url] = /http:\/\/[\w.]+:\d+/.exec(line) ?? []
    if (url) return url
  }
  throw new Error('the server ended')
}

/** Asks until the task has ended. */
export async function ended(url) {
  for (;;) {
    const { body } = await json(url)
    if (body.status !== 'new' && body.status !== 'running') return body
  }
}

const widths = count => Array.from({ length: count }, (_, n) => n + 1)

/**
 * @param make makes a folder of its own for a test
 * @param serve starts the server in it; resolves with its address, its process and its end
 * @param exit how the process ends after SIGTERM
 */
export function checkServer({ make, serve, exit }) {
  test('what was answered with 202 is done, also after kill -9', async t => {
    const place = make(t)
    const first = await serve(t, place)
    const { status, body } = await post(`${first.url}/thumbnails`, { image: 'cat', widths: [1, 2] })
    assert.equal(status, 202)
    first.child.kill('SIGKILL')
    assert.equal(await first.end, 'SIGKILL')

    const second = await serve(t, place)
    const { result } = await ended(`${second.url}/thumbnails/${body.uuid}`)
    assert.deepEqual(result, { files: ['cat-1.webp', 'cat-2.webp'] })
    second.child.kill('SIGTERM')
    assert.equal(await second.end, exit)
  })

  test('what it cannot do is refused with a status, and stores nothing', async t => {
    const place = make(t)
    const { url, child, end } = await serve(t, place)
    assert.equal((await post(`${url}/thumbnails`, { image: 7 })).status, 400)
    const unknown = `${url}/thumbnails/018f0000-0000-7000-8000-000000000000`
    assert.equal((await fetch(unknown)).status, 404)
    const broken = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{' }
    assert.equal((await fetch(`${url}/thumbnails`, broken)).status, 400)
    child.kill('SIGTERM')
    assert.equal(await end, exit)
    assert.deepEqual(await tasksOf(join(place, 'tasks.db')), [])
  })

  test('SIGTERM lets running tasks finish and leaves one file', async t => {
    const place = make(t)
    const { url, child, end } = await serve(t, place)
    const adds = widths(4).map(() =>
      post(`${url}/thumbnails`, { image: 'cat', widths: widths(10) }),
    )
    await Promise.all(adds)
    child.kill('SIGTERM')
    assert.equal(await end, exit)
    assert.deepEqual(stores(place), ['tasks.db'])
    const tasks = await tasksOf(join(place, 'tasks.db'))
    const facts = tasks.map(({ status, attempt }) => [status, attempt])
    assert.deepEqual(
      facts,
      widths(4).map(() => ['done', 1]),
    )
  })
}

/** The files of a store. */
export const stores = place => readdirSync(place).filter(name => name.startsWith('tasks.db'))
