// tasker under vitest, which runs tests in worker threads or in processes and ends both by itself.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { npm } from '../../scripts/steps.mjs'

const execute = promisify(execFile)
const place = fileURLToPath(new URL('../vitest', import.meta.url))
const vitest = join(place, 'node_modules/vitest/vitest.mjs')

/** Why vitest cannot be had, if so. In CI that is a fault, offline it is not. */
async function missing() {
  if (existsSync(vitest)) return
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  // Not with `npm ci`: that refuses a lock file that lacks the packages of another platform.
  const fault = await npm(['install', '--no-save', ...quiet], { cwd: place, capture: true }).then(
    () => undefined,
    error => error,
  )
  if (process.env.CI && fault) throw fault
  return fault?.message
}

test('one suite passes in both pools of vitest, beside taskers that are left open', async t => {
  const why = await missing()
  if (why) return t.skip(why)
  for (const pool of ['threads', 'forks']) {
    const args = [vitest, 'run', `--pool=${pool}`, '--reporter=json']
    const env = { ...process.env, NODE_OPTIONS: '', NODE_TEST_CONTEXT: '' }
    const { stdout, stderr } = await execute(process.execPath, args, {
      cwd: place,
      env,
      timeout: 60_000,
    })
    const { numPassedTests, numTotalTests } = JSON.parse(stdout.slice(stdout.indexOf('{"num')))
    assert.deepEqual([numPassedTests, numTotalTests], [6, 6], pool)
    assert.equal(stderr, '', pool)
  }
})
