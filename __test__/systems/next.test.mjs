// The example of Next.js: a build runs no task, and the server it builds loses none.

import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Tasker } from '../../index.mjs'
import { checkVersions, copyExample, start, tasksOf } from '../package/example.mjs'
import { installed } from '../package/installed.mjs'
import { output, root } from '../package/program.mjs'
import { address, checkServer, ended, stores } from '../package/server.mjs'

const place = mkdtempSync(join(tmpdir(), 'tasker-next-'))
after(() => rmSync(place, { recursive: true, force: true }))
const packages = fileURLToPath(new URL('next/node_modules', import.meta.url))
const next = join(place, 'node_modules/next/dist/bin/next')
const store = join(place, 'tasks.db')
const env = { ...process.env, NEXT_TELEMETRY_DISABLED: '1', NEXT_MANUAL_SIG_HANDLE: 'true' }

// Copied, not linked: the bundler of Next.js follows no link out of the project.
checkVersions('next', packages)
copyExample('next', place)
cpSync(packages, join(place, 'node_modules'), { recursive: true, verbatimSymlinks: true })
cpSync(installed, join(place, 'node_modules/tasker'), { recursive: true })

/** Starts the server as `npm start` does, on a free port. */
async function serve(t) {
  const args = ['start', '--hostname', '127.0.0.1', '--port', '0']
  const server = start(t, next, { args, cwd: place, env })
  return { ...server, url: await address(server) }
}

test('`next build` leaves a waiting task and its file alone; `next start` runs it', async t => {
  const tasker = new Tasker(store)
  const uuid = await tasker.addTask({
    operation: 'thumbnails',
    data: { image: 'cat', widths: [1] },
  })
  await tasker.close()
  const before = readFileSync(store)

  output(process.execPath, [next, 'build'], { cwd: place, env, timeout: 600_000 })
  assert.deepEqual(stores(place), ['tasks.db'])
  assert.ok(readFileSync(store).equals(before))
  const settings = path => readFileSync(join(path, 'tsconfig.json'), 'utf8')
  assert.equal(settings(place), settings(join(root, 'examples/next')), 'nothing to reconfigure')

  const { url, child, end } = await serve(t)
  assert.equal((await ended(`${url}/thumbnails/${uuid}`)).status, 'done')
  child.kill('SIGTERM')
  assert.equal(await end, 0)
  assert.equal((await tasksOf(store)).length, 1)
})

test('`npm start` leaves the signals to the tasker', () => {
  const { scripts } = JSON.parse(readFileSync(join(place, 'package.json'), 'utf8'))
  assert.equal(scripts.start, 'NEXT_MANUAL_SIG_HANDLE=true next start')
})

/** The folder that was built, without its store. */
function make() {
  for (const name of stores(place)) rmSync(join(place, name))
  return place
}

checkServer({ make, serve, exit: 0 })
