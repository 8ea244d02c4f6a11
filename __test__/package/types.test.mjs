// The types of the installed package, with each compiler that users have.

import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { addNodeTypes, folder, runs } from './installed.mjs'
import { compilers, output, root, tsc } from './program.mjs'

addNodeTypes()

// skipLibCheck is off: index.d.ts itself has to please each compiler.
const strict = ['--strict', '--target', 'es2022', '--types', 'node', '--skipLibCheck', 'false']

const program = `
import { Tasker, TaskerError, type EndStatus, type Task, type TaskUuid } from 'tasker'

interface Operations {
  double: { data: number; result: number }
}

async function main(): Promise<string> {
  await using tasker = new Tasker<Operations>(':memory:')
  tasker.assignRunner('double', ({ data }) => data * 2)
  const ended = new Promise<EndStatus>(resolve =>
    tasker.once('task.ended', (_uuid, status) => resolve(status)),
  )
  await tasker.start()
  const uuid: TaskUuid<'double'> = await tasker.addTask({ operation: 'double', data: 21 })
  const result: number = await tasker.waitForTaskOutputData(uuid)
  const [task]: Task<Operations>[] = await tasker.findTasks({ 'data.pages': { $exists: false } })
  const code = await tasker.getTask('no uuid').catch((error: TaskerError) => error.code)
  return [result.toFixed(1), await ended, task?.status, code].join()
}

main().then(console.log)
`

/** The type tests of the checkout, as programs of a user. */
function copyTypeTests() {
  const from = join(root, '__test__/types')
  mkdirSync(join(folder, 'types'))
  const names = readdirSync(from).filter(name => name !== 'contract.test-d.ts')
  for (const name of names) {
    const text = readFileSync(join(from, name), 'utf8').replace("'../../index'", "'tasker'")
    assert.ok(!text.includes('../'), `${name} uses nothing but the package`)
    writeFileSync(join(folder, 'types', name), text)
  }
  return names.map(name => join('types', name))
}

const typeTests = copyTypeTests()
for (const name of ['esm.mts', 'cjs.cts']) writeFileSync(join(folder, name), program)

for (const [version, compiler] of Object.entries(compilers)) {
  describe(`TypeScript ${version}`, () => {
    test('is what it says', () => {
      assert.ok(output(process.execPath, [compiler, '--version']).includes(` ${version}.`))
    })

    test('compiles a program with `await using` down for Node.js 20, as module and script', () => {
      tsc([...strict, '--module', 'node16', 'esm.mts', 'cjs.cts'], folder, compiler)
      for (const name of ['esm.mjs', 'cjs.cjs']) {
        assert.equal(runs(name), '42.0,done,done,TASKER_INVALID\n')
      }
    })

    test('knows events, registry, results and query paths as a bundler finds them', () => {
      const bundler = ['--module', 'esnext', '--moduleResolution', 'bundler', '--noEmit']
      tsc([...strict, ...bundler, 'esm.mts', ...typeTests], folder, compiler)
    })
  })
}
