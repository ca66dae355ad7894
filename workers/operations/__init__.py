"""The handlers of jobs that change something. Each can be interrupted at any moment and
recovered later.
"""
