// `npm run demo -- [folder] [--crash] [--keep] [--files N]`
//
// Indexes a folder tree, one durable task per file, in a process of its own. With --crash that
// process kills itself half-way, a second one opens the same file and goes on; the log of what the
// runners did then shows that no file was lost and which ones ran twice.

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { bold, say } from './screen.mjs'
import { printSummary } from './summary.mjs'
import { printVerdict } from './verdict.mjs'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    crash: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    files: { type: 'string', default: '20000' },
  },
})
const here = fileURLToPath(new URL('.', import.meta.url))
const folder = resolve(positionals[0] ?? join(here, '../..'))
const scratch = mkdtempSync(join(tmpdir(), 'tasker-demo-'))
const paths = { folder, store: join(scratch, 'demo.db'), log: join(scratch, 'runs.log') }

/** Runs the indexer to its end, or to its death; resolves with the signal that killed it. */
function index(how) {
  const options = JSON.stringify({ ...paths, filesMax: Number(values.files), ...how })
  const child = spawn(process.execPath, [join(here, 'indexer.mjs'), options], { stdio: 'inherit' })
  return new Promise((done, fail) => {
    child.on('error', fail)
    child.on('exit', (code, signal) => {
      if (code) fail(new Error(`the indexer ended with ${code}`))
      else done(signal)
    })
  })
}

async function main() {
  say(`${bold('tasker demo')}: a durable task for each file below ${folder}`)
  const begin = performance.now()
  const signal = await index({ dieHalfWay: values.crash })
  if (signal) {
    say(`the process died by ${bold(signal)}; a new one opens the same file`)
    await index({ dieHalfWay: false })
  }
  await printSummary(paths.store, performance.now() - begin)
  return printVerdict(paths)
}

try {
  process.exitCode = (await main()) ? 0 : 1
} finally {
  if (values.keep) say(`kept: ${paths.store}`)
  else rmSync(scratch, { recursive: true, force: true })
}
