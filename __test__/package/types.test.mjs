// The types of the installed package, with each compiler that users have.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { addTypes, folder, runs } from './installed.mjs'
import { compilers, output, root, tsc } from './program.mjs'

addTypes()

// skipLibCheck is off: index.d.ts itself has to please each compiler.
const strict = ['--strict', '--target', 'es2022', '--types', 'node', '--skipLibCheck', 'false']

/** Ways to find the package, each with the flags that some users have and others have not. */
const resolutions = {
  'Node.js': {
    resolution: { module: 'node16' },
    flags: ['--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess'],
  },
  'a bundler': { resolution: { module: 'esnext', moduleResolution: 'bundler' }, flags: [] },
}

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
    const text = readFileSync(join(from, name), 'utf8')
      .replace("'../../index'", "'tasker'")
      .replace("'../../testing'", "'tasker/testing'")
      .replace("'../../concurrency'", "'tasker/concurrency'")
    assert.ok(!text.includes('../'), `${name} uses nothing but the package`)
    writeFileSync(join(folder, 'types', name), text)
  }
  return names.map(name => join('types', name))
}

/** What another package or project may export: functions whose types the compiler writes down. */
const library = {
  'store.ts': `
import { Tasker } from 'tasker'
export interface Operations {
  a: { data: { at: Date }; result: { id: string } }
  b: { data?: number }
}
export const tasker = new Tasker<Operations>(':memory:')
export const untyped = new Tasker({ store: ':memory:', runners: { a: ({ data }) => data } })
`,
  'calls.ts': `
import type { DataOf, OperationName, Runner, TaskUuid } from 'tasker'
import { type Operations, tasker, untyped } from './store.js'
export const one = () => tasker.addTask({ operation: 'b' })
export const both = async () =>
  Promise.all([tasker.addTask({ operation: 'a', data: { at: new Date() } }), one()])
export const list = () => tasker.addTasks([{ operation: 'b' }, { operation: 'b', data: 1 }])
export const first = both().then(([uuid]) => uuid)
export const result = async () => tasker.waitForTaskOutputData(await first)
export const found = () => tasker.findTasks({ operation: 'a' })
export const failed = () => tasker.findTasks({ status: 'failed' })
export const get = (uuid: TaskUuid<'a'>) => tasker.getTask(uuid)
export const loose = () => untyped.findTask({ operation: 'x' })
export const enqueue = <Name extends OperationName<Operations>>(
  operation: Name,
  data: DataOf<Operations, Name>,
) => tasker.addTask({ operation, data })
export const wait = <Name extends OperationName<Operations>>(uuid: TaskUuid<Name>) =>
  tasker.waitForTaskOutputData(uuid)
export const load = <Name extends OperationName<Operations>>(uuid: TaskUuid<Name>) =>
  tasker.getTask(uuid)
export const traced = <Name extends OperationName<Operations>>(
  runner: Runner<Operations, Name>,
): Runner<Operations, Name> => context => runner({ ...context })
export const query = { operation: 'a', 'data.at': { $exists: true } } as const
export class Service {
  readonly outbox = (db: Parameters<typeof tasker.outbox>[0]) => tasker.outbox(db)
  listen = tasker.on('task.done', () => {})
}
`,
  'user.ts': `
import { both, enqueue, get, wait } from '../library/calls.js'
export const at: string = (await get((await both())[0])).data.at
export const { id } = await wait(await enqueue('a', { at: new Date() }))
`,
}

/** A project that others refer to, and one that refers to it. */
function writeProjects(options) {
  const base = { strict: true, target: 'es2022', types: ['node'], skipLibCheck: false }
  const all = { ...base, ...options, composite: true, declaration: true, isolatedModules: true }
  for (const [name, files, references] of [
    ['library', ['store.ts', 'calls.ts'], []],
    ['user', ['user.ts'], [{ path: '../library' }]],
  ]) {
    rmSync(join(folder, name), { recursive: true, force: true })
    mkdirSync(join(folder, name))
    for (const file of files) writeFileSync(join(folder, name, file), library[file])
    const config = { compilerOptions: { ...all, outDir: 'out', rootDir: '.' }, files, references }
    writeFileSync(join(folder, name, 'tsconfig.json'), JSON.stringify(config))
    writeFileSync(join(folder, name, 'package.json'), '{ "type": "module" }')
  }
}

const mistaken = `
import { Tasker } from 'tasker'
interface Operations {
  'read-book': { data: { book: string }; result: { pages: number } }
  tidy: {}
}
const tasker = new Tasker<Operations>()
`

/** A mistake, and the part of what the compiler says of it that helps. */
const mistakes = [
  [
    "tasker.assignRunner('read-book', async () => ({ page: 1 }))",
    "Property 'pages' is missing in type '{ page: number; }' but required in",
  ],
  [
    "tasker.assignRunner('read-book', () => ({ pages: '1' }))",
    "Type 'string' is not assignable to type 'number'",
  ],
  [
    "tasker.assignRunner('read-book', async ({ data }) => data.book.length)",
    "Type 'number' is not assignable to type '{ pages: number; }'",
  ],
  [
    "tasker.findTasks({ 'error.message': { $like: 'x' } })",
    "Type 'string' is not assignable to type 'NoSuchOperator'",
  ],
  [
    'tasker.findTasks({ result: { $whatever: 1 } })',
    "Type 'number' is not assignable to type 'NoSuchOperator'",
  ],
  [
    "tasker.addTask({ operation: 'read-book' })",
    "Property 'data' is missing in type '{ operation: \"read-book\"; }'",
  ],
  [
    "tasker.addTask({ operation: 'read-book', data: { book: 1 } })",
    "Type 'number' is not assignable to type 'string'",
  ],
  [
    "tasker.addTask({ operation: 'raed-book', data: { book: '' } })",
    'Did you mean \'"read-book"\'?',
  ],
  ["tasker.addTask({ operation: 'tidy', prioriy: 1 })", "Did you mean to write 'priority'?"],
]

/** What a compiler says of each line that must not compile, in their order. */
function complaints(lines, compiler) {
  writeFileSync(join(folder, 'mistaken.mts'), mistaken + lines.join('\n'))
  const args = [compiler, ...strict, '--module', 'node16', '--noEmit', 'mistaken.mts']
  const { stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
  return stdout.trim().split(/\n(?=mistaken)/)
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
        assert.equal(runs(name), '42.0,done,done,TASKER_NOT_FOUND\n')
      }
    })

    for (const [kind, { resolution, flags }] of Object.entries(resolutions)) {
      const modules = Object.entries(resolution).flatMap(([key, value]) => [`--${key}`, value])
      const options = [...modules, ...flags, '--isolatedModules', '--declaration']

      test(`passes the type tests as ${kind} finds the package`, () => {
        tsc([...strict, ...options, '--noEmit', 'esm.mts', ...typeTests], folder, compiler)
      })

      test(`B-15: declares exported functions, for other projects too, as ${kind} finds it`, () => {
        writeProjects(resolution)
        tsc(['--build', 'user'], folder, compiler)
        const declared = readFileSync(join(folder, 'library/out/calls.d.ts'), 'utf8')
        assert.doesNotMatch(declared, /import\("(?!tasker"|\.)/, 'names the package by its name')
      })
    }

    test('says in a few lines what is wrong', () => {
      const lines = mistakes.map(([line]) => line)
      const told = complaints(lines, compiler)
      assert.equal(told.length, lines.length, told.join('\n'))
      for (const [i, [line, part]] of mistakes.entries()) {
        assert.ok(told[i].includes(part), `${line}\n${told[i]}`)
        assert.ok(told[i].split('\n').length <= 7, `${line}\n${told[i]}`)
      }
    })
  })
}
