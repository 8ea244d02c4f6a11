// A runner for the threads of cycles.mjs.

export default ({ data }) => data * 2
