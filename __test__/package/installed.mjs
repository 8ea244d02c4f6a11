// The package as a user gets it: packed, and installed into an empty folder without scripts and
// without a network. Once for each test file that imports this.

import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packForHere } from '../../scripts/release.mjs'
import { npm, output, root } from './program.mjs'

/** The folder of the program that uses tasker. */
export const folder = mkdtempSync(join(tmpdir(), 'tasker-package-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const packed = await packForHere(folder)

/** The name of the tarball in the folder. */
export const tarball = packed.filename

/** The files of the package. */
export const files = packed.files.map(file => file.path)

/** The installed package. */
export const installed = join(folder, 'node_modules/tasker')

writeFileSync(join(folder, 'package.json'), '{ "private": true }')
npm(['install', `./${tarball}`], folder)

/** Gives the folder the types of Node.js and of OpenTelemetry, as a TypeScript program has them. */
export function addTypes() {
  for (const name of ['@opentelemetry', '@types', 'undici-types']) {
    const place = join(folder, 'node_modules', name)
    symlinkSync(join(root, 'node_modules', name), place, 'junction')
  }
}

/** Writes a program into the folder and gives what it prints. */
export function prints(name, program) {
  writeFileSync(join(folder, name), program)
  return runs(name)
}

/** What a program in the folder prints. */
export const runs = name => output(process.execPath, [name], { cwd: folder })

/** A program with tasker in it: it prints 42. */
export const work = `
  const tasker = new Tasker(':memory:')
  tasker.assignRunner('double', async ({ data }) => data * 2)
  await tasker.start()
  const uuid = await tasker.addTask({ operation: 'double', data: 21 })
  console.log(await tasker.waitForTaskOutputData(uuid))
  await tasker.close()`
