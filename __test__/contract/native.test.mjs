import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { folder, imports, runs } from './open.mjs'

const script = `${imports}
  try {
    new Tasker(':memory:')
  } catch (error) {
    const { name, code, message } = error
    console.log(JSON.stringify({ name, code, message, causes: error.cause.errors.length }))
  }
`

test('a missing addon is told with all that was tried and what to do', async () => {
  const place = join(folder(), 'no-such-file.node')
  const told = JSON.parse(await runs(script, { env: { TASKER_NATIVE: place } }))
  assert.deepEqual([told.name, told.code, told.causes], ['TaskerError', 'TASKER_NATIVE_MISSING', 1])
  for (const part of [place, process.platform, process.arch, process.version, 'npm run build']) {
    assert.ok(told.message.includes(part), `${part} in: ${told.message}`)
  }
})

test('an addon that cannot be loaded is told with its cause', async () => {
  const place = join(folder(), 'broken.node')
  writeFileSync(place, 'not a library')
  const told = JSON.parse(await runs(script, { env: { TASKER_NATIVE: place } }))
  assert.equal(told.code, 'TASKER_NATIVE_MISSING')
  assert.match(told.message, /broken\.node: .+/)
})
