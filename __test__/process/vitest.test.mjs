// tasker under vitest, which runs tests in worker threads or in processes and ends both by itself.
// `npm test` installs vitest first.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { folder } from '../contract/open.mjs'

const execute = promisify(execFile)
const place = fileURLToPath(new URL('../vitest', import.meta.url))
const vitest = join(place, 'node_modules/vitest/vitest.mjs')

test('one suite passes in both pools of vitest, beside taskers that are left open', async () => {
  for (const pool of ['threads', 'forks']) {
    const args = [vitest, 'run', `--pool=${pool}`, '--reporter=json']
    const own = { NODE_OPTIONS: '', NODE_TEST_CONTEXT: '', TASKER_PLACE: folder() }
    const env = { ...process.env, ...own }
    const options = { cwd: place, env, timeout: 300_000 }
    const { stdout, stderr } = await execute(process.execPath, args, options)
    const { numPassedTests, numTotalTests } = JSON.parse(stdout.slice(stdout.indexOf('{"num')))
    assert.deepEqual([numPassedTests, numTotalTests], [6, 6], pool)
    assert.equal(stderr, '', pool)
  }
})
