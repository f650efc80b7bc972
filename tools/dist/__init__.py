"""`make dist`: what a release ships, built from the sources without SAM and without Docker.

The same sources, Python 3.13 and zlib give the same bytes in any folder. Start reading with
`build`: `archives` writes the ZIP files, `packaged_template` what CloudFormation gets, and
`bill_of_materials` what is in them. `packages` then builds the wheel that carries all of it, with
`wheel_hook`.
"""
