"""What the paper prints, as secondary sources have it: TIMIT, cosine, percent, without an interval.

Of its tables a secondary page confirms the EER of mu2; that of the i-vector is from memory. What
other papers print of other systems stands in `sequential.py`.
"""

PAPER = {"eer_mu2": "2.4", "eer_ivector": "9.5 (unconfirmed)"}  # by names of the summary
PAPER_HEADER = "TIMIT, the paper (not comparable)"
PAPER_NOTE = (
    "The paper's figures are of TIMIT, another corpus, by cosine, without an interval and as "
    "secondary sources have them; nobody here has checked them. They do not compare with ours."
)
