// The ESM face of the one CommonJS implementation: both kinds of import share their classes.
import testing from './dist/testing.js'

export const { openTest } = testing
