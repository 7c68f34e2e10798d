"""A run as a bundle that others can check: a folder of its own, with everything that its report is made from.

OUT/bench/BOARD/<run_id>/    run_id: time and modes, for example 20261201-021530-performance-accuracy
    report.json .md .html    the report
    bench.json               the run, with the answer to each clip
    firmware.elf             what was built for it    board.toml, graph.npz    what it was built from
    traffic.jsonl            the recorded traffic, if there is one
OUT/bench/BOARD/latest       the newest run that has a report
"""
