/** Health: whether a tasker lives and is ready, as what watches over its process asks. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listening } from './http.mjs'
import { imports, runs } from './open.mjs'

/** The status and the word. */
async function health(server, what, method = 'GET') {
  const response = await fetch(`${server.url}/health/${what}`, { method })
  return [response.status, await response.text()]
}

test('a tasker that does its work lives and is ready, and says so without a token', async t => {
  const { server } = await listening(t)
  for (const what of ['live', 'ready']) {
    assert.deepEqual(await health(server, what), [200, 'ok\n'])
    assert.deepEqual(await health(server, what, 'HEAD'), [200, ''])
    assert.equal((await health(server, what, 'POST'))[0], 405)
  }
})

test('a blocked event loop is told, and makes the tasker unready', async () => {
  const script = `${imports}
import { spawnSync } from 'node:child_process'
const tasker = new Tasker({ store: ':memory:' })
const server = await tasker.listen({ port: 0 })
// The loop stands still as long as the other process asks: until it hears what it waits for.
const ask = \`(async () => {
  const ask = async what => {
    const answer = await fetch('\${server.url}/health/' + what)
    return answer.status + ' ' + (await answer.text()).replace(/[0-9.]+s/, 'Ns').trim()
  }
  const until = async (what, word) => {
    let said
    do said = await ask(what)
    while (!said.includes(word))
    console.log(said)
  }
  await until('live', 'loop-blocked')
  await until('ready', '503')
  const headers = { authorization: 'Bearer \${server.token}' }
  const told = await (await fetch('\${server.url}/metrics', { headers })).text()
  console.log(Number(/^tasker_event_loop_blocked_seconds_total (.*)$/m.exec(told)[1]) >= 9)
})()\`
const { stdout } = spawnSync(process.execPath, ['--eval', ask], { encoding: 'utf8' })
console.log(stdout.trim())
await new Promise(resolve => setImmediate(resolve))
for (;;) {
  const answer = await fetch(server.url + '/health/ready')
  if (answer.status !== 200) continue
  console.log((await answer.text()).trim())
  break
}
console.log((await tasker.metrics()).process.eventLoopBlocked >= 9_000)
await tasker.close()
`
  const lines = (await runs(script)).trim().split('\n')
  const blocked = ['200 ok loop-blocked Ns', '503 ok loop-blocked Ns']
  assert.deepEqual(lines, [...blocked, 'true', 'ok', 'true'])
})
