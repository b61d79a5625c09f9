"""Tests beside the scores: may an imitation stand in for its annotator, is it equivalent to it, and
do the measures agree?"""
