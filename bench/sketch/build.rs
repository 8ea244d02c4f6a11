//! Prepares the link against the Node-API of the host process.
fn main() {
    napi_build::setup();
}
