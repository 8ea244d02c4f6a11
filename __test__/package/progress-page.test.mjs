// examples/progress-page: its stream of events, as a browser reads it.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../../examples/progress-page/main.mjs', import.meta.url))

/** The server of a file, and where it listens. */
async function serve(t, store) {
  const stdio = ['ignore', 'pipe', 'inherit']
  const server = spawn(process.execPath, [program, store, '0'], { stdio })
  t.after(() => server.kill('SIGKILL'))
  const [url] = await once(createInterface({ input: server.stdout }), 'line')
  return { server, url }
}

/** The events of a stream, behind one of them if that is given. */
async function* events(url, last) {
  const headers = last === undefined ? {} : { 'last-event-id': last }
  const { body } = await fetch(`${url}/events`, { headers })
  let rest = ''
  for await (const bytes of body.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + bytes).split('\n\n')
    rest = parts.pop()
    for (const part of parts) {
      const [id, data] = part.split('\n')
      yield { id: id.slice('id: '.length), ...JSON.parse(data.slice('data: '.length)) }
    }
  }
}

async function read(url, title) {
  const answer = await fetch(`${url}/books`, { method: 'POST', body: JSON.stringify({ title }) })
  assert.equal(answer.status, 202)
  return (await answer.json()).uuid
}

test('the page shows tasks live, and goes on where it was when the server is killed', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'tasker-page-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const store = join(folder, 'progress.db')
  const first = await serve(t, store)
  assert.match(await (await fetch(first.url)).text(), /new EventSource\('\/events'\)/)
  const dune = await read(first.url, 'Dune')
  const seen = []
  for await (const event of events(first.url)) {
    assert.equal(event.uuid, dune)
    seen.push(event)
    // It may have ended before anybody looked.
    if (event.state === 'done') break
  }
  assert.equal(seen[0].change, 'entered')
  assert.deepEqual(seen.at(-1).task, {
    data: { title: 'Dune' },
    progress: { current: 20, total: 20, unit: 'page' },
  })
  first.server.kill('SIGKILL')
  await once(first.server, 'exit')
  const second = await serve(t, store)
  const emma = await read(second.url, 'Emma')
  for await (const event of events(second.url, seen.at(-1).id)) {
    assert.equal(event.uuid, emma, 'what it has seen does not come again')
    if (event.change === 'ended') break
  }
})
